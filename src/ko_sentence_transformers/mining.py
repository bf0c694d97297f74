"""Near-duplicates and paraphrases among many texts, from their embeddings.

Up to 50,000 rows every pair is compared; beyond, each row meets the rows of the cells nearest to it (FAISS IVF)
and what is found there is scored exactly. The same rows give the same result each time; while every pair is
compared, in any order of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._extras import require
from .encoding import Embeddings
from .errors import InputError

EXACT_ROWS = 50_000
_BLOCK = 256
_COLUMNS = 16_384
# Cells a row is compared with, and neighbours taken from them before all of a crowded neighbourhood are.
_PROBES, _NEAR, _SEED = 12, 64, 7
# int8 codes are off by less than this; candidates within it are scored again exactly.
_SLACK = 0.02

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of near-duplicates, by row; the first of each group is the one to keep.

    :ivar rows: how many rows were compared.
    :ivar groups: rows of each group of two or more, ordered by the row that is kept.
    """

    rows: int
    threshold: float
    groups: tuple[tuple[int, ...], ...]

    @property
    def kept(self) -> list[int]:
        """Rows that remain when one of each group is kept, in order."""
        dropped = {row for group in self.groups for row in group[1:]}
        return [row for row in range(self.rows) if row not in dropped]

    @property
    def ratio(self) -> float:
        """Share of the rows that is dropped."""
        return sum(len(group) - 1 for group in self.groups) / max(1, self.rows)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows that say the same, ``first < second``, and their cosine."""

    first: int
    second: int
    score: float


def duplicates(
    embeddings: Embeddings,
    keys: Sequence[Any],
    *,
    threshold: float = 0.9,
    progress: Callable[[int], None] | None = None,
) -> Duplicates:
    """Group rows so that each is at least ``threshold`` (cosine) from the one its group keeps.

    Rows are taken up by ``keys``, smallest first: one that is near no kept row is kept, and takes all free rows
    near it into its group. A chain of small changes is therefore not swallowed as one group.

    :param embeddings: ``(n, dim)`` of unit length; may be memory-mapped.
    :param keys: of the content of each row, such as ``(-length, hash)``: longest texts are then kept.
    :param progress: called with rows done since the last call.
    :raises InputError: for a threshold outside (0, 1].
    """
    _check(threshold)
    order = np.asarray(sorted(range(len(embeddings)), key=keys.__getitem__), np.int64)
    owner = np.full(len(embeddings), -1, np.int64)
    neighbours = _neighbours(embeddings)
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        free = block[owner[block] < 0]
        for row, ids, _ in neighbours(free, threshold, owner) if len(free) else ():
            owner[row] = row
            owner[ids[owner[ids] < 0]] = row
        if progress:
            progress(len(block))
    groups: dict[int, list[int]] = {}
    for row, leader in enumerate(owner.tolist()):
        groups.setdefault(leader, []).append(row)
    found = [
        (leader, *(row for row in members if row != leader)) for leader, members in groups.items() if len(members) > 1
    ]
    return Duplicates(len(embeddings), threshold, tuple(sorted(found)))


def paraphrases(
    embeddings: Embeddings,
    *,
    threshold: float = 0.8,
    limit: int = 1000,
    progress: Callable[[int], None] | None = None,
) -> list[Pair]:
    """Return the ``limit`` nearest pairs at or above ``threshold``, best first; equal scores in order of rows.

    Beyond :data:`EXACT_ROWS` rows, each row is paired with its 64 nearest.

    :raises InputError: for a threshold outside (0, 1] or a limit below 1.
    """
    _check(threshold)
    if limit < 1:
        raise InputError(f"limit is {limit}; it must be at least 1")
    best = np.empty((0, 3), np.float64)
    neighbours = _neighbours(embeddings)
    rows = np.arange(len(embeddings), dtype=np.int64)
    for start in range(0, len(rows), _BLOCK):
        found = [best]
        for row, ids, scores in neighbours(rows[start : start + _BLOCK], threshold, None):
            other = ids != row
            near, cosines = ids[other], scores[other]
            found.append(np.column_stack([np.minimum(near, row), np.maximum(near, row), cosines]))
        best = _best(np.concatenate(found), limit)
        if progress:
            progress(min(_BLOCK, len(rows) - start))
    return [Pair(int(first), int(second), float(score)) for first, second, score in best]


def _check(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise InputError(f"threshold is {threshold}; it must be above 0 and at most 1")


def _best(pairs: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    """Return the best pairs, each once."""
    # The two sides of a pair may differ in the last bit of their score: the order must not depend on it.
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -np.round(pairs[:, 2], 6)))
    pairs = pairs[order]
    _, first = np.unique(pairs[:, :2], axis=0, return_index=True)
    return pairs[np.sort(first)[:limit]]


_Found = Iterator[tuple[int, Ids, NDArray[np.float32]]]
# (rows, threshold, owner) -> for each row, the rows within the threshold. With owners every one of them is found,
# and a row that has got an owner by the time its turn comes is passed over.
_Neighbours = Callable[[Ids, float, Ids | None], _Found]


def _neighbours(embeddings: Embeddings) -> _Neighbours:
    return _Exact(embeddings) if len(embeddings) <= EXACT_ROWS else _Cells(embeddings)


class _Exact:
    """Every row against every row, a block at a time."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._all = embeddings

    def __call__(self, rows: Ids, threshold: float, owner: Ids | None) -> _Found:
        parts: list[tuple[Ids, Ids, NDArray[np.float32]]] = []
        wanted = np.asarray(self._all[rows])
        for start in range(0, len(self._all), _COLUMNS):
            scores = wanted @ self._all[start : start + _COLUMNS].T
            at, column = np.nonzero(scores >= threshold - 1e-6)
            parts.append((at, column + start, scores[at, column]))
        at, near, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        for number, row in enumerate(rows.tolist()):
            if owner is not None and owner[row] >= 0:
                continue
            mine = at == number
            yield row, near[mine], values[mine]


class _Cells:
    """Rows against the rows of the nearest cells; int8 codes in memory, exact scores from ``embeddings``."""

    def __init__(self, embeddings: Embeddings) -> None:
        faiss = require("faiss", extra="search")
        self._all = embeddings
        count, dim = embeddings.shape
        cells = max(1, min(int(2 * np.sqrt(count)), count // 40))
        step = max(1, count // (cells * 40))
        self._index = faiss.index_factory(dim, f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
        self._index.cp.niter, self._index.cp.seed = 8, _SEED
        self._index.train(np.ascontiguousarray(embeddings[::step]))
        for start in range(0, count, _COLUMNS):
            self._index.add(np.ascontiguousarray(embeddings[start : start + _COLUMNS]))
        self._index.nprobe = min(_PROBES, cells)

    def __call__(self, rows: Ids, threshold: float, owner: Ids | None) -> _Found:
        wanted = np.ascontiguousarray(self._all[rows])
        _, near = self._index.search(wanted, _NEAR)
        for row, query, ids in zip(rows.tolist(), wanted, near, strict=True):
            if owner is not None and owner[row] >= 0:
                continue
            ids = np.unique(np.append(ids[ids >= 0], row))
            scores = self._all[ids] @ query
            if owner is not None and len(ids) >= _NEAR and scores.min() >= threshold:
                # More rows are this near than were asked for: take all of them.
                _, _, found = self._index.range_search(query[None], threshold - _SLACK)
                ids = np.unique(np.append(found, row))
                scores = self._all[ids] @ query
            kept = scores >= threshold - 1e-6
            yield row, ids[kept], scores[kept]
