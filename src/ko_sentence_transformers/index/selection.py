"""The chunks that a filter passes, found once for each state of the rows."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .filters import Filter
from .store import Store

Chunks = NDArray[np.int64]
_REMEMBERED = 64
_REMEMBERED_CHUNKS = 4_000_000


class Selections:
    """Finds what filters pass; the same few filters are asked for again and again, so their chunks are remembered."""

    def __init__(self) -> None:
        self._generation = -1
        self._names: set[str] = set()
        self._known: dict[tuple[Filter, bool], Chunks | None] = {}

    def passing(self, store: Store, where: Filter, limit: int | None = None) -> Chunks | None:
        """Return the chunks that ``where`` passes, in order; ``None`` if they are more than ``limit``.

        :raises InputError: for a name that no record has.
        """
        generation = store.meta("generation")
        if generation != self._generation:
            self._generation, self._known = generation, {}
            self._names = set(store.field_names())
        if unknown := sorted(where.names - self._names):
            names = ", ".join(["id", *sorted(self._names)])
            raise InputError(f"--where names {unknown[0]!r}, which no record has; there are: {names}")
        key = (where, limit is None)
        if key not in self._known:
            found = _select(store, where, limit)
            held = sum(len(chunks) for chunks in self._known.values() if chunks is not None)
            if len(self._known) >= _REMEMBERED or held + len(found) > _REMEMBERED_CHUNKS:
                self._known = {}
            self._known[key] = None if limit is not None and len(found) > limit else found
        return self._known[key]


def _select(store: Store, where: Filter, limit: int | None) -> Chunks:
    rows = store.connection.execute(
        f"SELECT {_source(where)} WHERE {where.select} LIMIT ?",
        (*where.parameters, -1 if limit is None else limit + 1),
    ).fetchall()
    return np.sort(np.fromiter((row[0] for row in rows), np.int64, len(rows)))


def tested(store: Store, where: Filter, chunks: Chunks) -> NDArray[np.bool_]:
    """Return which of a few chunks ``where`` passes."""
    rows = store.connection.execute(
        f"SELECT {_source(where)} WHERE chunk IN (SELECT value FROM json_each(?)) AND {where.check}",
        (json.dumps(chunks.tolist()), *where.parameters),
    ).fetchall()
    return np.isin(chunks, [row[0] for row in rows])


def _source(where: Filter) -> str:
    # Documents themselves are needed for their ids alone; chunks know their number.
    return "chunk FROM chunk c JOIN document d USING (doc)" if where.by_id else "chunk FROM chunk d"
