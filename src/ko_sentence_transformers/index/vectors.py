"""Meaning: the chunks nearest to a query embedding by cosine, exact or approximate by size."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from . import ann
from .ann import AnnFile
from .bm25 import best
from .lexical import Candidates
from .store import Store

logger = logging.getLogger(__name__)

# The int8 order is scored again exactly: this many more than what is asked for come from the cells.
_SPARE = 60
# Up to this many given chunks are read and scored one by one; of more, the codes of all are compared first.
_GIVEN = 500


class Vectors:
    """The embeddings of an index, kept in step with its rows; used inside a reading transaction.

    Rows that no file covers (all of them while there are few) are a matrix in memory.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dim = int(store.meta("dim"))
        self._state: tuple[int, int] = (-1, -1)
        self._ann: AnnFile | None = None
        self._index: Any = None
        self._start = 0  # chunks up to this one are in the file
        self._ids: NDArray[np.int64] = np.empty(0, np.int64)
        self._matrix: NDArray[np.float32] = np.empty((0, self._dim), np.float32)
        self._used = 0

    def refresh(self) -> None:
        """Take up what was committed since the last look, by this process or another."""
        state = (self._store.meta("generation"), self._store.meta("deletions"))
        if state == self._state:
            return
        named = ann.facts(self._store)
        if named is None or self._ann is None or named.file != self._ann.file:
            self._index = self._open(named) if named else None
            self._start = named.covers if named and self._index is not None else 0
            self._used = 0
        elif state[1] != self._state[1]:
            self._used = 0
        self._ann = named
        self._load_tail()
        self._state = state

    def nearest(
        self, query: NDArray[np.float32], count: int, *, probes: int | None = None, wider: int = 1
    ) -> Candidates:
        """Return up to ``count`` chunks with their exact cosines, best first.

        :param query: ``(dim,)``, unit length.
        :param probes: cells to look into instead of the number that ``tune`` chose.
        :param wider: look into this many times as many.
        """
        tail = self._tail()
        found = best(self._ids[: self._used], tail @ query, count)
        if self._index is None or self._ann is None:
            return found
        near = self._approximate(query, count + _SPARE, min(wider * (probes or self._ann.probes), self._ann.cells))
        exact = self.scores(query, near)
        ids = np.concatenate([found.ids, exact.ids])
        return best(ids, np.concatenate([found.scores, exact.scores]), count)

    def scores(self, query: NDArray[np.float32], chunks: Sequence[int] | NDArray[np.int64]) -> Candidates:
        """Return those of ``chunks`` that exist with their exact cosines, in order of their ids."""
        listed = json.dumps([int(chunk) for chunk in chunks])
        rows = self._store.connection.execute(
            "SELECT chunk, embedding FROM chunk WHERE chunk IN (SELECT value FROM json_each(?))", (listed,)
        ).fetchall()
        ids, matrix = ann.unpacked(rows, self._dim)
        return Candidates(ids, matrix @ query)

    def among(self, query: NDArray[np.float32], chunks: NDArray[np.int64], count: int) -> Candidates:
        """Return the ``count`` nearest of the given chunks with their exact cosines, best first."""
        if self._index is None or self._ann is None or len(chunks) <= _GIVEN:
            return best(*self.scores(query, chunks), count)
        # All cells, but only the codes of these chunks.
        young = chunks > self._start
        near = self._approximate(query, count + _SPARE, self._ann.cells, only=chunks[~young])
        old = self.scores(query, near)
        rows = np.flatnonzero(np.isin(self._ids[: self._used], chunks[young], assume_unique=True))
        ids = np.concatenate([old.ids, self._ids[rows]])
        return best(ids, np.concatenate([old.scores, self._matrix[rows] @ query]), count)

    @property
    def damaged(self) -> bool:
        """Whether the rows name a vector file that cannot be used."""
        return self._ann is not None and self._index is None

    @property
    def exact(self) -> bool:
        """Whether every row is compared with the query."""
        return self._index is None

    def _approximate(
        self, query: NDArray[np.float32], count: int, probes: int, *, only: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        faiss = require("faiss", extra="search")
        bits = None
        if only is not None:
            bits = np.zeros(self._start + 8, np.uint8)
            bits[only] = 1
            bits = np.packbits(bits, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        settings = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
        _, ids = self._index.search(query[None], count, params=settings)
        return np.asarray(ids[0][ids[0] >= 0], np.int64)

    def _tail(self) -> NDArray[np.float32]:
        return self._matrix[: self._used]

    def _load_tail(self) -> None:
        last = int(self._ids[self._used - 1]) if self._used else self._start
        for ids, vectors in ann.blocks(self._store.connection, self._dim, after=last):
            need = self._used + len(ids)
            if need > len(self._ids):
                grown = max(need, 2 * len(self._ids))
                self._ids = np.concatenate([self._ids, np.empty(grown - len(self._ids), np.int64)])
                room = np.empty((grown - len(self._matrix), self._dim), np.float32)
                self._matrix = np.concatenate([self._matrix, room])
            self._ids[self._used : need] = ids
            self._matrix[self._used : need] = vectors
            self._used = need

    def _open(self, named: AnnFile) -> Any:
        """Return the file's index; without one that is whole, ``None``: every row is then searched exactly."""
        wrong = ann.check(self._store.folder, named)
        if wrong is None:
            return ann.load(self._store.folder, named)
        logger.warning(
            "%s/%s %s; searching all rows exactly until: ko-st index compact %s",
            self._store.folder, named.file, wrong, self._store.folder,
        )  # fmt: skip
        return None
