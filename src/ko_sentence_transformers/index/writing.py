"""Records into rows: in batches, each encoded, analysed and then committed as a whole."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ..encoding import Embeddings
from ..errors import InputError
from ..morphemes import Analyser
from ..records import Record
from . import chunks
from .fields import as_json
from .lexical import joined
from .store import Chunk, Document, Store

BATCH = 1024
BATCH_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Changes:
    """How many records an ``add`` or ``update`` has put into the index, so far."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0

    def plus(self, other: Changes) -> Changes:
        """Return the sums."""
        return Changes(self.added + other.added, self.updated + other.updated, self.unchanged + other.unchanged)


@dataclass(frozen=True)
class Writer:
    """Everything that turns a record into a document.

    :ivar embed: texts -> unit embeddings ``(n, dim)``.
    :ivar size: characters of a chunk; ``None`` keeps every text whole.
    :ivar replace: whether a record may take the place of one with its id.
    """

    store: Store
    embed: Callable[[Sequence[str]], Embeddings]
    analyser: Analyser
    size: int | None
    replace: bool
    seen: set[bytes] = field(default_factory=set)

    def write(self, records: Iterable[Record], embeddings: Embeddings | None) -> Iterator[Changes]:
        """Commit batch after batch; what has been yielded is on disk.

        :raises InputError: for a repeated id, or one whose text differs and may not be replaced.
        """
        total = Changes()
        done = 0
        for batch in _batches(records):
            given = None if embeddings is None else embeddings[done : done + len(batch)]
            if given is not None and len(given) < len(batch):
                raise InputError(f"there are {done + len(given)} embeddings, but more records; give one for each")
            done += len(batch)
            total = total.plus(self._commit([self._item(record) for record in batch], given))
            yield total
        if embeddings is not None and len(embeddings) != done:
            raise InputError(f"there are {len(embeddings)} embeddings for {done} records; give one for each")

    def _item(self, record: Record) -> _Item:
        mark = hashlib.sha256(record.id.encode("utf-8", "surrogatepass")).digest()[:16]
        if mark in self.seen:
            raise InputError(f"id {record.id!r} occurs twice in the input; records before it are in the index")
        self.seen.add(mark)
        metadata = as_json(record.metadata)
        record = replace(record, text=unicodedata.normalize("NFC", record.text))
        try:
            digest = hashlib.sha256(record.passage.encode()).digest()[:16]
            (record.id + metadata).encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"record {record.id!r} holds half a character (a lone surrogate); fix its source"
            ) from error
        return _Item(record, digest, metadata)

    def _commit(self, items: list[_Item], given: Embeddings | None) -> Changes:
        known = self.store.known(item.record.id for item in items)
        new, relabelled = [], []
        positions = []
        for position, item in enumerate(items):
            old = known.get(item.record.id)
            if old is None or old[1] != item.digest:
                self._permit(item, old)
                new.append(item)
                positions.append(position)
            elif old[2] != item.metadata:
                self._permit(item, old)
                relabelled.append(item)
        documents = self._documents(new, None if given is None else given[positions])
        with self.store.writing():
            # Another writer may have been here while this batch was encoded.
            now = self.store.known(item.record.id for item in [*new, *relabelled])
            for item in new:
                self._permit(item, now.get(item.record.id))
            replaced = [now[item.record.id][0] for item in new if item.record.id in now]
            removed = self.store.remove(replaced)
            for document in documents:
                self.store.insert(document)
            for item in relabelled:
                if item.record.id in now:
                    self.store.relabel(now[item.record.id][0], item.record.metadata)
            if documents or relabelled:
                self.store.changed(added=sum(len(d.chunks) for d in documents), removed=removed)
        return Changes(
            added=len(new) - len(replaced),
            updated=len(replaced) + len(relabelled),
            unchanged=len(items) - len(new) - len(relabelled),
        )

    def _permit(self, item: _Item, old: tuple[int, bytes, str] | None) -> None:
        if old is not None and not self.replace and (old[1], old[2]) != (item.digest, item.metadata):
            raise InputError(
                f"id {item.record.id!r} is already in the index with another text or metadata; "
                "use update, or give the record another id"
            )

    def _documents(self, items: list[_Item], given: Embeddings | None) -> list[Document]:
        spans = [
            [(0, len(item.record.text))] if self.size is None else list(chunks.split(item.record.text, self.size))
            for item in items
        ]
        # Each chunk is read after the title of its document: alone it may not say what it is about.
        texts = [
            replace(item.record, text=item.record.text[start:stop]).passage
            for item, pieces in zip(items, spans, strict=True)
            for start, stop in pieces
        ]
        vectors = np.asarray(self.embed(texts) if given is None else given, np.float32)
        parts = zip(vectors, self.analyser.terms(texts), strict=True)
        return [
            Document(
                item.record.id, item.digest, item.record.text, item.record.metadata,
                [Chunk(*span, vector, joined(terms)) for span, (vector, terms) in zip(pieces, parts, strict=False)],
            )
            for item, pieces in zip(items, spans, strict=True)
        ]  # fmt: skip


class _Item(NamedTuple):
    record: Record
    digest: bytes
    metadata: str


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    source = iter(records)
    batch: list[Record] = []
    size = 0
    for record in source:
        batch.append(record)
        size += len(record.text)
        if len(batch) == BATCH or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
