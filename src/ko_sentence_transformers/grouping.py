"""The ways to group points: each takes different unit rows in canonical order and returns a group a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import manifold
from ._extras import require
from .encoding import Embeddings
from .errors import InputError

Labels = NDArray[np.int64]

OUTLIER = -1
# Average linkage needs all pairwise distances: more points than this are first drawn together to this many.
LINKAGE_POINTS = 4000
# k-means works on these many UMAP dimensions: news titles into 7 topics, V-measure 0.58 instead of 0.46.
FEATURES = 5
# Fewer points make islands of UMAP, whose distances say nothing: there k-means works on the embeddings.
KMEANS_ROWS = 500
# HDBSCAN's time grows with the square: above this many points the cores are found in a sample.
CORE_POINTS = 30_000
NEIGHBOURS = 15
ROUNDS = 3
JOIN_SHARE = 0.2  # three of fifteen neighbours


def kmeans(points: Embeddings, counts: Labels, *, k: int, seed: int) -> Labels:
    """Return ``k`` groups; ``counts`` weighs the points.

    :raises InputError: if there are fewer points than groups.
    """
    if k > len(points):
        raise InputError(f"k is {k}, but there are only {len(points)} different texts; use a smaller k")
    sklearn = require("sklearn.cluster", extra="topics")
    features = points if len(points) < KMEANS_ROWS else manifold.reduce(points, FEATURES, seed=seed)
    model = sklearn.KMeans(k, n_init=10, random_state=seed)
    with manifold.one_thread():
        return np.asarray(model.fit_predict(features, sample_weight=counts), dtype=np.int64)


def agglomerative(points: Embeddings, *, threshold: float, seed: int) -> Labels:
    """Return groups joined while their average cosine is at least ``threshold``."""
    if len(points) == 1:
        return np.zeros(1, dtype=np.int64)
    sklearn = require("sklearn.cluster", extra="topics")
    owner = np.arange(len(points))
    if len(points) > LINKAGE_POINTS:
        near = sklearn.MiniBatchKMeans(LINKAGE_POINTS, n_init=1, random_state=seed, batch_size=4096)
        owner = np.unique(near.fit_predict(points), return_inverse=True)[1]
        points = centres(points, owner, int(owner.max()) + 1)
    model = sklearn.AgglomerativeClustering(None, metric="cosine", linkage="average", distance_threshold=1 - threshold)
    return np.asarray(model.fit_predict(points), dtype=np.int64)[owner]


def density(points: Embeddings, counts: Labels, *, min_size: int, seed: int, everyone: bool) -> Labels:
    """Return dense groups of at least ``min_size`` texts and :data:`OUTLIER` for what lies between them.

    HDBSCAN on UMAP coordinates finds the cores. A point outside of them joins the topic that most of its
    neighbours in a core are in, if enough of its neighbours are (with ``everyone`` in any case).
    """
    if len(points) < manifold.MIN_ROWS:
        return _few(points)
    features = manifold.reduce(points, FEATURES, seed=seed)
    drawn = np.arange(len(points))
    if len(points) > CORE_POINTS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(points), CORE_POINTS, replace=False))
    labels = np.full(len(points), OUTLIER, dtype=np.int64)
    sklearn = require("sklearn.cluster", extra="topics")
    model = sklearn.HDBSCAN(
        min_cluster_size=max(2, min_size * len(drawn) // len(points)),
        min_samples=min(10, len(drawn) // 4),
        # The excess-of-mass choice made two groups of every news set tried, whatever the size asked for.
        cluster_selection_method="leaf",
        copy=True,
    )
    labels[drawn] = model.fit_predict(features[drawn])
    if labels.max() < 0:
        return np.zeros(len(points), dtype=np.int64)  # one cloud without denser parts is one topic
    labels = _joined(features, labels, everyone=everyone)
    # A text that many people wrote word for word is a topic, even if nothing else is near.
    repeated = np.flatnonzero((labels == OUTLIER) & (counts >= min_size))
    labels[repeated] = labels.max(initial=OUTLIER) + 1 + np.arange(len(repeated))
    return without_small(labels, counts, min_size)


def _joined(features: Embeddings, labels: Labels, *, everyone: bool) -> Labels:
    """Let the cores grow: points outside join the topic of their neighbours, in rounds."""
    sklearn = require("sklearn.neighbors", extra="topics")
    count = min(NEIGHBOURS, len(features))
    lost = np.flatnonzero(labels < 0)
    if not len(lost):
        return labels
    index = sklearn.NearestNeighbors(n_neighbors=count).fit(features)
    around = index.kneighbors(features[lost], return_distance=False)
    for _ in range(ROUNDS):
        labels[lost] = np.where(labels[lost] >= 0, labels[lost], _vote(labels[around], JOIN_SHARE))
    rest = lost[labels[lost] < 0]
    if everyone and len(rest):
        settled = np.flatnonzero(labels >= 0)
        index = sklearn.NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(settled))).fit(features[settled])
        around = settled[index.kneighbors(features[rest], return_distance=False)]
        labels[rest] = _vote(labels[around], 0)
    return labels


def _vote(votes: Labels, share: float) -> Labels:
    """Return the label that most of a row's votes are for, if ``share`` of all votes are: ``(rows,)``."""
    tally = np.zeros((len(votes), int(votes.max(initial=0)) + 1), dtype=np.int32)
    rows, columns = np.nonzero(votes >= 0)
    np.add.at(tally, (rows, votes[rows, columns]), 1)
    enough = tally.max(axis=1) >= max(1, share * votes.shape[1])
    return np.where(enough, tally.argmax(axis=1), OUTLIER)


def _few(points: Embeddings) -> Labels:
    """Group a handful of rows: cut their tree at its widest gap, or not at all where no gap stands out."""
    if len(points) < 4:
        return np.zeros(len(points), dtype=np.int64)
    hierarchy = require("scipy.cluster.hierarchy", extra="topics")
    tree = hierarchy.linkage(points, "average", metric="cosine")
    heights = tree[:, 2]
    gaps = np.diff(heights)
    widest = int(gaps.argmax())
    if gaps[widest] < 0.25 * heights[-1]:
        return np.zeros(len(points), dtype=np.int64)
    cut = (heights[widest] + heights[widest + 1]) / 2
    return np.asarray(hierarchy.fcluster(tree, cut, "distance"), dtype=np.int64) - 1


def without_small(labels: Labels, counts: Labels, smallest: int) -> Labels:
    """Return ``labels`` with the groups of fewer than ``smallest`` texts made outliers."""
    kept = labels >= 0
    sizes = np.bincount(labels[kept], weights=counts[kept], minlength=labels.max(initial=OUTLIER) + 1)
    if not len(sizes):
        return labels
    return np.where((labels >= 0) & (sizes[labels] >= smallest), labels, OUTLIER)


def centres(points: Embeddings, labels: Labels, count: int) -> Embeddings:
    """Return the mean direction of each group: ``(count, dim)``; the order of the rows leaves no trace."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(count))
    sums = np.add.reduceat(points[order].astype(np.float64), starts, axis=0) if count else points[:0]
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    mean: Embeddings = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 1e-9).astype(np.float32)
    return mean
