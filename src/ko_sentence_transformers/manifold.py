"""The shape of a set of embeddings: dense groups, and the same neighbourhoods in few dimensions.

Both calls are deterministic: the random generators are seeded, and UMAP runs on one thread (its parallel
updates race). The compilers behind them keep what they compile; only the first run on a machine waits for it.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from ._extras import require
from .encoding import Embeddings

# Below this many rows the neighbourhoods say nothing that the embeddings themselves do not.
MIN_ROWS = 60
# The density method starts from a random layout, and one run can be an unlucky one: up to this many rows, which
# take a second a run, it runs this often and the run that agrees best with the others counts.
SEVERAL_ROWS = 10_000
RUNS = 5


def groups(points: Embeddings, *, min_size: int, seed: int) -> NDArray[np.int64]:
    """Return the dense group of every row, -1 for none: ``(n,)``.

    EVoC finds groups at every scale and keeps the scale whose groups persist longest.

    :param points: ``(n, dim)`` different unit rows, at least :data:`MIN_ROWS`.
    :param min_size: rows that the smallest group may have.
    """
    evoc = require("evoc", extra="topics")
    runs = []
    for run in range(RUNS if len(points) <= SEVERAL_ROWS else 1):
        model = evoc.EVoC(base_min_cluster_size=min_size, random_state=seed + run)
        runs.append(np.asarray(model.fit_predict(points), dtype=np.int64))
    return _typical(runs)


def _typical(runs: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the labelling with the highest adjusted Rand index to all others."""
    metrics = require("sklearn.metrics", extra="topics")
    agreement = [sum(metrics.adjusted_rand_score(a, b) for b in runs) for a in runs]
    return runs[int(np.argmax(agreement))]


def reduce(points: Embeddings, dim: int, *, seed: int, spread: bool = False) -> Embeddings:
    """Return ``(n, dim)`` coordinates in which neighbours stay neighbours.

    :param points: ``(n, width)`` different unit rows.
    :param spread: leave air between points, for the eye; without it dense groups become tight ones.
    """
    if len(points) < MIN_ROWS or points.shape[1] <= dim:
        return _principal(points, dim)
    umap = require("umap", extra="topics")
    model = umap.UMAP(
        n_components=dim,
        n_neighbors=15 if spread else 30,
        min_dist=0.1 if spread else 0.0,
        n_epochs=200 if spread else 100,
        metric="cosine",
        init="pca",
        random_state=seed,
        n_jobs=1,
    )
    return cast(Embeddings, np.asarray(model.fit_transform(points), dtype=np.float32))


def _principal(points: Embeddings, dim: int) -> Embeddings:
    """Return the first ``dim`` principal coordinates, zeros where there are fewer."""
    out = np.zeros((len(points), dim), dtype=np.float32)
    if len(points) > 1:
        centred = points - points.mean(axis=0)
        u, s, v = np.linalg.svd(centred, full_matrices=False)
        # A singular vector's sign is arbitrary; fix it, or two machines mirror the map.
        sign = np.where(v[np.arange(len(v)), np.abs(v).argmax(axis=1)] < 0, -1, 1)
        width = min(dim, len(s))
        out[:, :width] = (u * s * sign)[:, :width]
    return out
