"""BM25 over the index terms: places from SQLite's full-text index, scores here.

The full-text index scores a row in microseconds, because it looks up each row's length; a common term has a
hundred thousand rows. Here the lengths are an array, a term's places are read in one go and remembered, and the
scores are the same (its formula, k1 = 1.2, b = 0.75; a test compares them).
"""

from __future__ import annotations

import math
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .database import PLACES
from .lexical import Candidates

_K1, _B = 1.2, 0.75
# What is kept in memory: counts of terms, and places (8 bytes each).
_COUNTS, _PLACES = 100_000, 4_000_000


class _Places(NamedTuple):
    """Where a term occurs: positions in the array of chunks, and how often in each."""

    rows: NDArray[np.int32]
    times: NDArray[np.float32]


class Lexicon:
    """The words of one state of the rows, taken up as they are needed; used inside a reading transaction."""

    def __init__(self) -> None:
        self._state = (-1, -1)
        self._counts: dict[str, int] = {}
        self._places: OrderedDict[str, _Places] = OrderedDict()
        self._held = 0
        self._chunks: NDArray[np.int64] = np.empty(0, np.int64)
        self._lengths: NDArray[np.float32] = np.empty(0, np.float32)

    def refresh(self, generation: int, deletions: int) -> None:
        """Forget what another state of the rows said."""
        if (generation, deletions) == self._state:
            return
        if deletions != self._state[1]:
            self._chunks, self._lengths = self._chunks[:0], self._lengths[:0]
        self._state = (generation, deletions)
        self._counts, self._held = {}, 0
        self._places.clear()

    def known(self, connection: sqlite3.Connection, forms: Iterable[str]) -> dict[str, int]:
        """Return ``{term: chunks}`` of those terms that occur, each once."""
        if len(self._counts) > _COUNTS:
            self._counts = {}
        for form in forms:
            if form not in self._counts:
                row = connection.execute("SELECT doc FROM word_rows WHERE term = ?", (form,)).fetchone()
                self._counts[form] = int(row[0]) if row else 0
        return {form: self._counts[form] for form in forms if self._counts[form]}

    def search(
        self,
        connection: sqlite3.Connection,
        terms: Sequence[str],
        *,
        limit: int,
        among: NDArray[np.int64] | None = None,
    ) -> Candidates:
        """Return the chunks with the highest BM25 for any of ``terms``, best first; equal scores in order of ids.

        :param among: only these chunks, in order.
        """
        if not terms:
            return Candidates(np.empty(0, np.int64), np.empty(0, np.float32))
        self._measure(connection)
        total, mean = len(self._chunks), max(1.0, float(self._lengths.mean())) if len(self._lengths) else 1.0
        scores = np.zeros(total, np.float32)
        for term in terms:
            rows, times = self._find(connection, term)
            idf = _idf(len(rows), total)
            fit = times + _K1 * (1 - _B + _B / mean * self._lengths[rows])
            scores[rows] += idf * (_K1 + 1) * times / fit
        if among is None:
            found = np.flatnonzero(scores)
        else:
            found = self._positions(among)
            found = found[scores[found] > 0]
        return best(self._chunks[found], scores[found], limit)

    def coverage(
        self, connection: sqlite3.Connection, terms: Sequence[str], *, among: NDArray[np.int64] | None = None
    ) -> float:
        """Return how much of ``terms`` the best chunk holds: its BM25, as a share of the most there could be.

        :param terms: of a query, also those that occur nowhere.
        """
        counts = self.known(connection, terms)
        found = self.search(connection, list(counts), limit=1, among=among)
        if not len(found.ids):
            return 0.0
        total = len(self._chunks)
        return float(found.scores[0]) / ((_K1 + 1) * sum(_idf(counts.get(term, 0), total) for term in terms))

    def _find(self, connection: sqlite3.Connection, term: str) -> _Places:
        if term in self._places:
            self._places.move_to_end(term)
            return self._places[term]
        row = connection.execute(f"SELECT group_concat(doc) FROM {PLACES} WHERE term = ?", (term,)).fetchone()
        listed = _numbers(row[0])  # in order; a chunk once for each time
        first = np.flatnonzero(np.diff(listed, prepend=-1))
        times = np.diff(first, append=len(listed)).astype(np.float32)
        places = self._places[term] = _Places(self._positions(listed[first]).astype(np.int32), times)
        self._held += len(first)
        while self._held > _PLACES and len(self._places) > 1:
            self._held -= len(self._places.popitem(last=False)[1].rows)
        return places

    def _positions(self, chunks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where chunks stand in the array of all."""
        first, last = self._chunks[[0, -1]].tolist()
        if last - first + 1 == len(self._chunks):  # none was ever deleted
            return np.asarray(chunks - first)
        return np.asarray(np.searchsorted(self._chunks, chunks), np.int64)

    def _measure(self, connection: sqlite3.Connection) -> None:
        """Take up the lengths of the chunks that are new."""
        last = int(self._chunks[-1]) if len(self._chunks) else 0
        sql = "SELECT group_concat(id), group_concat(hex(sz), '') FROM (SELECT * FROM words_docsize WHERE id > ?)"
        ids, sizes = connection.execute(sql, (last,)).fetchone()
        if ids:
            self._chunks = np.concatenate([self._chunks, _numbers(ids)])
            self._lengths = np.concatenate([self._lengths, _varints(bytes.fromhex(sizes))])


def best(ids: NDArray[np.int64], scores: NDArray[np.float32], count: int) -> Candidates:
    """Return the ``count`` highest scores, best first; equal scores in order of their ids."""
    if len(ids) > count:
        kept = np.flatnonzero(scores >= np.partition(scores, len(scores) - count)[len(scores) - count])
        ids, scores = ids[kept], scores[kept]
    order = np.lexsort((ids, -scores))[:count]
    return Candidates(ids[order], np.asarray(scores[order], np.float32))


def _idf(count: int, total: int) -> float:
    return max(1e-6, math.log((total - count + 0.5) / (count + 0.5)))


def _numbers(listed: str | None) -> NDArray[np.int64]:
    return np.fromstring(listed, np.int64, sep=",") if listed else np.empty(0, np.int64)


def _varints(data: bytes) -> NDArray[np.float32]:
    """Read SQLite's variable-length integers: seven bits a byte, the highest bit says that another follows."""
    raw = np.frombuffer(data, np.uint8)
    last = np.flatnonzero(raw < 0x80)
    first = np.concatenate([[0], last[:-1] + 1])
    values = np.zeros(len(last), np.float32)
    for offset in range(int((last - first).max(initial=0)) + 1):
        more = first + offset <= last
        values[more] = values[more] * 128 + (raw[first[more] + offset] & 0x7F)
    return values
