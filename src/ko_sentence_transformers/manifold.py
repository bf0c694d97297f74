"""The shape of a set of embeddings: the same neighbourhoods in few dimensions.

Deterministic: the random generator is seeded, and UMAP runs on one thread (its parallel updates race). UMAP's
compiler takes a few seconds at the first call of a process.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import cast

import numpy as np

from ._extras import require
from .encoding import Embeddings

# Below this many rows the neighbourhoods say nothing that the embeddings themselves do not.
MIN_ROWS = 60


def one_thread() -> AbstractContextManager[object]:
    """Let linear algebra run on one thread: the number of threads changes the last bits, and they the result."""
    limits: AbstractContextManager[object] = require("threadpoolctl", extra="topics").threadpool_limits(1)
    return limits


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
    with one_thread():
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
