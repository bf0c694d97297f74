"""Rows in SQLite: documents, chunks with their embeddings, words and filterable fields, one transaction each.

SQLite is the only truth. Write-ahead logging lets readers go on during a write and makes a killed writer lose
nothing that was committed; ids of chunks are never used again, so a file derived from them cannot lie.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import IndexFolderError, OutputError
from .database import FILE, connect, exists, guard, open_file
from .fields import as_json, fields

FORMAT = 1

_SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE document(doc INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, hash BLOB NOT NULL,
    text TEXT NOT NULL, metadata TEXT NOT NULL);
CREATE TABLE chunk(chunk INTEGER PRIMARY KEY AUTOINCREMENT, doc INTEGER NOT NULL, number INTEGER NOT NULL,
    start INTEGER NOT NULL, stop INTEGER NOT NULL, embedding BLOB NOT NULL);
CREATE INDEX chunk_by_doc ON chunk(doc);
CREATE TABLE field(doc INTEGER NOT NULL, name TEXT NOT NULL, value NOT NULL,
    PRIMARY KEY(doc, name, value)) WITHOUT ROWID;
CREATE INDEX field_by_value ON field(name, value);
"""
_WORDS = """
CREATE VIRTUAL TABLE words USING fts5(terms, tokenize = "unicode61 remove_diacritics 0");
CREATE VIRTUAL TABLE word_rows USING fts5vocab(words, row);
"""


class Chunk(NamedTuple):
    """A stretch of a document: ``text[start:stop]``, its unit embedding ``(dim,)`` and its index terms."""

    start: int
    stop: int
    embedding: NDArray[np.float32]
    terms: str


class Document(NamedTuple):
    """A document as it is stored."""

    id: str
    hash: bytes
    text: str
    metadata: dict[str, Any]
    chunks: Sequence[Chunk]


class Row(NamedTuple):
    """A chunk with its document, as a search returns it."""

    chunk: int
    id: str
    text: str
    metadata: str
    number: int
    start: int
    stop: int
    terms: str


class Store:
    """One connection to the rows of an index folder."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, *, writable: bool) -> None:
        self.folder = folder
        self.writable = writable
        self.connection = connection
        self._turn = threading.RLock()  # one transaction at a time among the threads that share the connection

    @classmethod
    def create(cls, folder: Path, meta: dict[str, Any]) -> Store:
        """Make the tables in one transaction: an index exists whole or not at all.

        :raises OutputError: if the folder cannot be written or holds other files.
        """
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"cannot write {folder}: it is a file; name a folder")
        if folder.exists() and any(not p.name.startswith(FILE) for p in folder.iterdir()):
            raise OutputError(f"{folder} holds other files; name a new or empty folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {error.strerror}; name another folder") from error
        with guard(folder):
            connection = connect(folder / FILE, "mode=rwc")
            connection.execute("PRAGMA journal_mode = WAL")
            store = cls(folder, connection, writable=True)
            with store.writing():
                if not exists(folder):
                    store._run(_SCHEMA + _WORDS)
                    store.set_meta(format=FORMAT, generation=0, deletions=0, chunks=0, **meta)
        return store

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the rows of ``folder``: for writing where that is allowed, else for reading.

        :raises IndexFolderError: if there is no index, or one of another format, or its file is damaged.
        """
        if not (folder / FILE).is_file():
            raise IndexFolderError(
                f"{folder} is no search index; make one with: ko-st index build INPUT --index {folder}"
            )
        with guard(folder):
            connection, writable = open_file(folder / FILE)
            store = cls(folder, connection, writable=writable)
            try:
                form = store.meta("format")
            except sqlite3.OperationalError as error:
                if "no such table" not in str(error):
                    raise
                form = None
        if form is None:
            raise IndexFolderError(f"{folder} is an index whose creation was cut off; build it again")
        if form != FORMAT:
            raise IndexFolderError(f"{folder} has index format {form}, this version reads {FORMAT}; build it again")
        return store

    def close(self) -> None:
        """Close the connection; an open transaction is undone."""
        self.connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """See one state of the index for as long as the block lasts."""
        with self._turn, guard(self.folder):
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                self.connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does as a whole, or undo it; waits for another writer."""
        if not self.writable:
            raise OutputError(f"cannot write {self.folder}: it is read-only; copy the index elsewhere")
        with self._turn, guard(self.folder):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def meta(self, name: str) -> Any:
        """Return a fact about the index, or ``None``."""
        with guard(self.folder):
            row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
            return json.loads(row[0]) if row else None

    def set_meta(self, **facts: Any) -> None:
        """Record facts about the index, inside a transaction."""
        rows = [(name, json.dumps(value, ensure_ascii=False)) for name, value in facts.items()]
        self.connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def changed(self, *, added: int, removed: int) -> None:
        """Tell readers, inside the writing transaction, how many chunks came and went."""
        self.set_meta(
            generation=self.meta("generation") + 1,
            deletions=self.meta("deletions") + bool(removed),
            chunks=self.meta("chunks") + added - removed,
        )

    def known(self, ids: Iterable[str]) -> dict[str, tuple[int, bytes, str]]:
        """Return ``{id: (doc, hash, metadata)}`` of those ids that are there."""
        with guard(self.folder):
            rows = self.connection.execute(
                "SELECT id, doc, hash, metadata FROM document WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(ids), ensure_ascii=False),),
            )
            return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def insert(self, document: Document) -> None:
        """Add one document with its chunks, words and fields, inside a transaction."""
        run = self.connection.execute
        metadata = as_json(document.metadata)
        doc = run(
            "INSERT INTO document(id, hash, text, metadata) VALUES (?, ?, ?, ?)",
            (document.id, document.hash, document.text, metadata),
        ).lastrowid
        self.set_fields(doc or 0, document.metadata)
        for number, chunk in enumerate(document.chunks):
            row = run(
                "INSERT INTO chunk(doc, number, start, stop, embedding) VALUES (?, ?, ?, ?, ?)",
                (doc, number, chunk.start, chunk.stop, chunk.embedding.astype("<f4").tobytes()),
            ).lastrowid
            run("INSERT INTO words(rowid, terms) VALUES (?, ?)", (row, chunk.terms))

    def relabel(self, doc: int, metadata: dict[str, Any]) -> None:
        """Replace the metadata of one document, inside a transaction."""
        self.connection.execute("UPDATE document SET metadata = ? WHERE doc = ?", (as_json(metadata), doc))
        self.set_fields(doc, metadata)

    def set_fields(self, doc: int, metadata: dict[str, Any]) -> None:
        """Replace the filterable fields of one document."""
        self.connection.execute("DELETE FROM field WHERE doc = ?", (doc,))
        rows = [(doc, name, value) for name, value in fields(metadata)]
        self.connection.executemany("INSERT OR IGNORE INTO field VALUES (?, ?, ?)", rows)

    def remove(self, docs: Sequence[int]) -> int:
        """Delete documents with all that belongs to them, inside a transaction; return how many chunks."""
        one = [(doc,) for doc in docs]
        run = self.connection.executemany
        run("DELETE FROM words WHERE rowid IN (SELECT chunk FROM chunk WHERE doc = ?)", one)
        removed = run("DELETE FROM chunk WHERE doc = ?", one).rowcount
        run("DELETE FROM field WHERE doc = ?", one)
        run("DELETE FROM document WHERE doc = ?", one)
        return max(0, removed)

    def clear_words(self) -> None:
        """Make the table of words anew, inside a transaction."""
        self._run("DROP TABLE word_rows;\nDROP TABLE words;\n" + _WORDS)

    def broken_words(self) -> str | None:
        """Read the full-text index whole and return what is wrong with it."""
        try:
            with self._turn:
                self.connection.execute("INSERT INTO words(words) VALUES ('integrity-check')")
        except sqlite3.DatabaseError as error:
            if "locked" in str(error) or "busy" in str(error):
                return None  # another process is writing: it could read them
            return str(error)
        return None

    def _run(self, script: str) -> None:
        """Run statements one by one: ``executescript`` would end the transaction."""
        for statement in script.replace("\n\n", "\n").strip().split(";\n"):
            self.connection.execute(statement)

    def rows(self, chunks: Sequence[int]) -> dict[int, Row]:
        """Return ``{chunk: row}`` of those chunks that still exist."""
        found = self.connection.execute(
            "SELECT c.chunk, d.id, d.text, d.metadata, c.number, c.start, c.stop, w.terms FROM chunk c "
            "JOIN document d USING (doc) JOIN words w ON w.rowid = c.chunk "
            "WHERE c.chunk IN (SELECT value FROM json_each(?))",
            (json.dumps([int(c) for c in chunks]),),
        )
        return {row[0]: Row(*row) for row in found}

    def vacuum(self) -> None:
        """Merge the words, give free space back to the disk and empty the log; safe to be killed."""
        if not self.writable:
            raise OutputError(f"cannot write {self.folder}: it is read-only; copy the index elsewhere")
        with self._turn, guard(self.folder):
            self.connection.execute("INSERT INTO words(words) VALUES ('optimize')")
            self.connection.execute("VACUUM")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def count(self, table: str) -> int:
        """Return the number of rows of ``document`` or ``chunk``."""
        column = {"document": "id", "chunk": "doc"}[table]  # covered by an index: no texts or vectors are read
        with guard(self.folder):
            return int(self.connection.execute(f"SELECT count({column}) FROM {table}").fetchone()[0])

    def field_names(self) -> list[str]:
        """Return the names that can be filtered by, by jumping from one to the next in their index."""
        names: list[str] = []
        while row := self.connection.execute(
            "SELECT name FROM field WHERE name > ? ORDER BY name LIMIT 1", (names[-1] if names else "",)
        ).fetchone():
            names.append(row[0])
        return names
