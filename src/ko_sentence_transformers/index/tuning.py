"""Recall measured on the user's own data: how many cells a query must look into."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoding import Embeddings
from ..errors import InputError
from . import ann
from .bm25 import best
from .store import Store
from .vectors import Vectors

SAMPLE, NEAREST = 200, 10


@dataclass(frozen=True, slots=True)
class Trial:
    """One number of probes: the share of the true nearest that was found, and the median time of a search."""

    probes: int
    recall: float
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """What :func:`tune` measured and chose; no trials where search is exact."""

    target: float
    chosen: Trial | None
    trials: tuple[Trial, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON types."""
        from dataclasses import asdict

        return asdict(self)


def tune(store: Store, vectors: Vectors, recall: float, queries: Embeddings | None = None) -> Tuning:
    """Choose the fewest probes that reach ``recall`` of the true ten nearest, and record them in the index.

    :param queries: ``(n, dim)`` embeddings of typical queries; by default a sample of the rows themselves.
    :raises InputError: for a recall outside (0, 1].
    """
    if not 0 < recall <= 1:
        raise InputError(f"recall is {recall}; it must be above 0 and at most 1")
    with store.reading():
        vectors.refresh()
        named = ann.facts(store)
        if named is None or vectors.exact:
            return Tuning(recall, None)
        own, sample = (None, queries) if queries is not None else _sample(store)
        truth = _truth(store, sample, own)
        trials: list[Trial] = []
        probes = 1
        while not trials or (trials[-1].recall < recall and trials[-1].probes < named.cells):
            trials.append(_trial(vectors, sample, own, truth, min(probes, named.cells)))
            probes *= 2
    with store.writing():
        if ann.facts(store) == named:
            store.set_meta(ann=vars(replace(named, probes=trials[-1].probes)))
            store.changed(added=0, removed=0)
    return Tuning(recall, trials[-1], tuple(trials))


def _sample(store: Store) -> tuple[NDArray[np.int64], Embeddings]:
    """Return rows spread evenly over the ids, the same each time."""
    last = store.connection.execute("SELECT max(chunk) FROM chunk").fetchone()[0]
    rows = []
    for target in np.linspace(1, last, SAMPLE).astype(int).tolist():
        sql = "SELECT chunk, embedding FROM chunk WHERE chunk >= ? ORDER BY chunk LIMIT 1"
        rows.append(store.connection.execute(sql, (target,)).fetchone())
    return ann.unpacked(sorted(set(rows)), int(store.meta("dim")))


def _truth(store: Store, queries: Embeddings, own: NDArray[np.int64] | None) -> list[set[int]]:
    """Return the true nearest of each query, by a pass over all rows; a row is not its own neighbour."""
    ids = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0), np.float32)
    for block, matrix in ann.blocks(store.connection, queries.shape[1]):
        near = queries @ matrix.T
        if own is not None:
            near[own[:, None] == block[None]] = -2
        ids = np.concatenate([ids, np.broadcast_to(block, near.shape)], axis=1)
        scores = np.concatenate([scores, near], axis=1)
        keep = [best(*pair, NEAREST) for pair in zip(ids, scores, strict=True)]
        ids = np.stack([kept.ids for kept in keep])
        scores = np.stack([kept.scores for kept in keep])
    return [set(row.tolist()) for row in ids]


def _trial(
    vectors: Vectors, queries: Embeddings, own: NDArray[np.int64] | None, truth: list[set[int]], probes: int
) -> Trial:
    found, times = 0, []
    for number, query in enumerate(queries):
        start = time.perf_counter()
        ids = vectors.nearest(query, NEAREST + 1, probes=probes).ids.tolist()
        times.append(time.perf_counter() - start)
        if own is not None:
            ids = [chunk for chunk in ids if chunk != own[number]]
        found += len(truth[number].intersection(ids[:NEAREST]))
    total = sum(len(nearest) for nearest in truth)
    return Trial(probes, found / max(1, total), float(np.median(times)) * 1e3)
