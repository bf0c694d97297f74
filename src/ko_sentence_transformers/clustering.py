"""Groups of similar texts: k-means, agglomerative, or by density; the same for any order of the rows.

Equal rows count as one point, and the points are put into a canonical order before anything random happens,
so that neither a shuffled file nor a repeated text moves the result. Rows of zeros (blank texts) have no
topic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from . import grouping
from ._extras import require
from .encoding import Embeddings
from .errors import InputError
from .grouping import OUTLIER, Labels

# Unless told otherwise, the smallest topic has 1.2 times the root of n texts (55 of 2,000, 380 of 100,000): with
# such topics news titles fell into about ten topics, with a fifth of it into thirty slivers.
SMALLEST_TOPIC = 5
STABILITY_ROWS = 2000
STABILITY_RUNS = 3


@dataclass(frozen=True)
class Settings:
    """How to group. With ``k`` k-means, with ``threshold`` agglomerative, with neither by density.

    :param k: number of topics.
    :param threshold: average cosine, 0 to 1, at which two groups become one.
    :param min_topic_size: texts in the smallest topic, chosen by the number of texts if None; not used with ``k``.
    :param reassign_outliers: give each outlier to the topic whose centre is nearest.
    :param seed: of every random generator.
    """

    k: int | None = None
    threshold: float | None = None
    min_topic_size: int | None = None
    reassign_outliers: bool = False
    seed: int = 42

    def __post_init__(self) -> None:
        if self.k is not None and self.threshold is not None:
            raise InputError("k and threshold exclude each other; give one of them, or none")
        if self.k is not None and self.k < 1:
            raise InputError(f"k is {self.k}; it must be at least 1")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise InputError(f"threshold is {self.threshold}; it is a cosine, between 0 and 1")
        if self.min_topic_size is not None and self.min_topic_size < 2:
            raise InputError(f"min_topic_size is {self.min_topic_size}; it must be at least 2")
        if not 0 <= self.seed < 1 << 31:
            raise InputError(f"seed is {self.seed}; it must be from 0 to {(1 << 31) - 1}")

    @property
    def method(self) -> str:
        """``kmeans``, ``agglomerative`` or ``density``."""
        if self.k is not None:
            return "kmeans"
        return "density" if self.threshold is None else "agglomerative"


@dataclass(frozen=True)
class Clusters:
    """The topic of every row.

    :param labels: ``(n,)``; 0 is the largest topic, :data:`OUTLIER` is none.
    :param centres: ``(topics, dim)`` unit vectors.
    :param floors: ``(topics,)`` the cosine to the centre that 95% of a topic's rows reach.
    :param settings: what made them.
    """

    labels: Labels
    centres: Embeddings
    floors: NDArray[np.float32]
    settings: Settings

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def sizes(self) -> Labels:
        """Rows of each topic: ``(topics,)``."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.centres)).astype(np.int64)

    @property
    def outlier_share(self) -> float:
        """Share of the rows without a topic."""
        return float(np.mean(self.labels == OUTLIER)) if len(self.labels) else 0.0

    def members(self, topic: int) -> Labels:
        """Return the rows of ``topic``, in order."""
        return np.flatnonzero(self.labels == topic)

    def assign(self, embeddings: Embeddings) -> tuple[Labels, NDArray[np.float32]]:
        """Return the topic of new rows and their cosine to its centre: ``(n,)`` and ``(n,)``.

        Where the topics were found by density or threshold, a row below the topic's floor is an outlier.

        :raises InputError: if the width differs.
        """
        points = _checked(embeddings)
        if len(self.centres) and points.shape[1] != self.centres.shape[1]:
            raise InputError(
                f"embeddings have {points.shape[1]} dimensions, the topics {self.centres.shape[1]}; "
                "encode with the model that made the topics"
            )
        labels, scores = _nearest(points, self.centres)
        if self.settings.method != "kmeans" and not self.settings.reassign_outliers and len(self.centres):
            labels[scores < self.floors[labels]] = OUTLIER
        labels[~points.any(axis=1)] = OUTLIER
        return labels, scores


def cluster(
    embeddings: Embeddings,
    *,
    k: int | None = None,
    threshold: float | None = None,
    min_topic_size: int | None = None,
    reassign_outliers: bool = False,
    seed: int = 42,
) -> Clusters:
    """Group the rows of ``embeddings`` by meaning.

    With ``k`` k-means, with ``threshold`` agglomerative (average linkage), with neither a density method that
    finds the number of topics by itself and leaves outliers; see :class:`Settings` for the options.

    :param embeddings: ``(n, dim)``; rows need no unit length, rows of zeros get no topic.
    :raises InputError: for NaN, a wrong shape, or ``k`` above the number of different rows.
    :raises MissingExtraError: without the extra ``topics``.
    """
    settings = Settings(k, threshold, min_topic_size, reassign_outliers, seed)
    points = _checked(embeddings)
    rows = np.flatnonzero(points.any(axis=1))
    labels = np.full(len(points), OUTLIER, dtype=np.int64)
    if len(rows) == 0 and (k is None or len(points) == 0):
        return _finished(points, labels, settings)
    unique, inverse, counts = np.unique(points[rows], axis=0, return_inverse=True, return_counts=True)
    labels[rows] = _fit(unique, counts, settings)[inverse.ravel()]
    clusters = _finished(points, labels, settings)
    if reassign_outliers and len(clusters):
        labels = clusters.labels.copy()
        lost = rows[labels[rows] == OUTLIER]
        labels[lost] = _nearest(points[lost], clusters.centres)[0]
        clusters = _finished(points, labels, settings)
    return clusters


def stability(embeddings: Embeddings, clusters: Clusters) -> float:
    """Return how much of the grouping comes back on other draws of the rows: 1 all of it, 0 as by chance.

    The mean adjusted Rand index between ``clusters`` and fresh runs on random 80% of the rows (at most
    :data:`STABILITY_ROWS`), outliers counted as one group. 1.0 where there are too few rows to draw from.
    """
    metrics = require("sklearn.metrics", extra="topics")
    points = _checked(embeddings)
    rows = np.flatnonzero(points.any(axis=1))
    # Canonical order, so that the score too is the same for any order of the rows.
    rows = rows[np.lexsort(points[rows].T[::-1])]
    size = min(int(len(rows) * 0.8), STABILITY_ROWS)
    settings = clusters.settings
    if size < 10 or (settings.k or 0) >= size:
        return 1.0
    scores = []
    for run in range(STABILITY_RUNS):
        drawn = np.random.default_rng(settings.seed + run).choice(rows, size, replace=False)
        unique, inverse, counts = np.unique(points[drawn], axis=0, return_inverse=True, return_counts=True)
        if settings.k and settings.k > len(unique):
            return 1.0
        again = replace(settings, seed=settings.seed + 1 + run)
        fresh = _fit(unique, counts, again)[inverse.ravel()]
        scores.append(metrics.adjusted_rand_score(clusters.labels[drawn], fresh))
    return float(np.mean(scores))


def _checked(embeddings: Embeddings) -> Embeddings:
    """Return unit rows, zeros left as they are."""
    points = np.asarray(embeddings, dtype=np.float32)
    if points.ndim != 2:
        raise InputError(f"embeddings have shape {points.shape}; pass one row a text, (n, dim)")
    broken = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(broken):
        raise InputError(f"embeddings row {broken[0]} holds NaN or infinity, as do {len(broken) - 1} more rows")
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    unit = np.divide(points, norms, out=np.zeros_like(points), where=norms > 0)
    return cast(Embeddings, unit + np.float32(0))  # no negative zeros: they would make equal rows differ


def _fit(points: Embeddings, counts: Labels, settings: Settings) -> Labels:
    """Return the group of each different row in canonical order; ``counts`` is how often each occurs."""
    if settings.k is not None:
        return grouping.kmeans(points, counts, k=settings.k, seed=settings.seed)
    if settings.threshold is not None:
        labels = grouping.agglomerative(points, threshold=settings.threshold, seed=settings.seed)
        return grouping.without_small(labels, counts, settings.min_topic_size or 2)
    total = int(counts.sum())
    smallest = settings.min_topic_size or max(SMALLEST_TOPIC, round(1.2 * total**0.5))
    everyone = settings.reassign_outliers
    return grouping.density(points, counts, min_size=smallest, seed=settings.seed, everyone=everyone)


def _finished(points: Embeddings, labels: Labels, settings: Settings) -> Clusters:
    """Number the topics by size, largest first, and find their centres."""
    kept = labels >= 0
    found, dense = np.unique(labels[kept], return_inverse=True)
    sizes = np.bincount(dense, minlength=len(found))
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(len(found), dtype=np.int64)
    rank[order] = np.arange(len(found))
    out = np.full(len(labels), OUTLIER, dtype=np.int64)
    out[kept] = rank[dense]
    centres = grouping.centres(points[kept], out[kept], len(found))
    floors = np.zeros(len(found), dtype=np.float32)
    for topic in range(len(found)):
        floors[topic] = np.percentile(points[out == topic] @ centres[topic], 5)
    return Clusters(out, centres, floors, settings)


def _nearest(points: Embeddings, centres: Embeddings) -> tuple[Labels, NDArray[np.float32]]:
    """Return the nearest centre of each row and the cosine to it."""
    labels = np.full(len(points), OUTLIER, dtype=np.int64)
    scores = np.zeros(len(points), dtype=np.float32)
    if len(centres):
        for start, part in _blocks(points):
            similarity = part @ centres.T
            labels[start : start + len(part)] = similarity.argmax(axis=1)
            scores[start : start + len(part)] = similarity.max(axis=1)
    return labels, scores


def _blocks(points: Embeddings, rows: int = 8192) -> Iterator[tuple[int, Embeddings]]:
    for start in range(0, len(points), rows):
        yield start, points[start : start + rows]
