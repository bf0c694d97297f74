"""The SQLite file of an index: how it is opened, and what its errors mean to a user."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import IndexFolderError, InputError, OutputError

FILE = "index.sqlite"
BUSY_SECONDS = 60.0
# Every place of every term, a view of the full-text index that each connection makes for itself.
PLACES = "temp.places"
_DAMAGE = ("malformed", "not a database", "corrupt", "decode to UTF-8", "no such table")


def exists(folder: Path) -> bool:
    """Tell whether ``folder`` holds a search index."""
    if not (folder / FILE).is_file():
        return False
    try:
        connection, _ = open_file(folder / FILE)
        try:
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return True  # damaged, but an index: opening it says what is wrong
    return found is not None


def open_file(file: Path) -> tuple[sqlite3.Connection, bool]:
    """Return a connection and whether it may write; on a read-only medium the file is read as it lies there."""
    if os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
        return connect(file, "mode=rw"), True
    try:
        return connect(file, "mode=ro"), False
    except sqlite3.OperationalError:
        # Without the shared-memory file of a live writer only a file at rest can be read.
        log = file.with_name(file.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
    return connect(file, "mode=ro&immutable=1"), False


def connect(file: Path, mode: str) -> sqlite3.Connection:
    """Return a connection that waits for other writers and syncs each commit to disk."""
    path = str(file.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    connection = sqlite3.connect(
        f"file:{path}?{mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        for setting in ("synchronous = FULL", "cache_size = -65536", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute(f"CREATE VIRTUAL TABLE {PLACES} USING fts5vocab(main, words, instance)")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def guard(folder: Path) -> Iterator[None]:
    """Turn what SQLite reports into one line that says what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        reason = str(error)
        if "locked" in reason or "busy" in reason:
            raise OutputError(
                f"{folder} is being written by another process; try again when it has finished"
            ) from error
        if "full" in reason or "disk I/O" in reason:
            raise OutputError(
                f"cannot write {folder}: {reason}; what was committed before is intact, free space and run again"
            ) from error
        if "readonly" in reason or "unable to open" in reason:
            raise OutputError(f"cannot open or write {folder}: {reason}; check its permissions") from error
        if any(word in reason for word in _DAMAGE):
            raise _damaged(folder, reason) from error
        if "string or blob too big" in reason:
            raise InputError(f"a text or its metadata is too large for the index: {reason}; split it") from error
        raise
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _damaged(folder, str(error)) from error


def _damaged(folder: Path, reason: str) -> IndexFolderError:
    return IndexFolderError(f"{folder / FILE} is damaged ({reason}); restore a copy or build the index again")
