"""The figures of evaluation, in numpy: correlation, precision, ranking, clustering, the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
# The main figure of a task over a resample of its units.
Statistic = Callable[[Positions], float]

SAMPLES = 1000
LEVEL = 0.95


def pearson(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Return Pearson's correlation of two ``(n,)`` arrays; NaN if one is constant."""
    a = np.asarray(x, dtype=np.float64) - np.mean(x, dtype=np.float64)
    b = np.asarray(y, dtype=np.float64) - np.mean(y, dtype=np.float64)
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else float("nan")


def spearman(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Return Spearman's correlation, ties at their mean rank; NaN if an array is constant."""
    return pearson(mean_ranks(x), mean_ranks(y))


def mean_ranks(values: NDArray[Any]) -> Floats:
    """Return the ranks from 1, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def precision_recall(labels: NDArray[Any], scores: NDArray[Any]) -> tuple[Floats, Floats, Floats]:
    """Return precision, recall and threshold at each distinct score, the highest first."""
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    ranked = np.asarray(scores, dtype=np.float64)[order]
    found = np.cumsum(np.asarray(labels, dtype=np.float64)[order])
    ends = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    total = found[-1] if len(found) else 0.0
    recall = found[ends] / total if total else np.full(len(ends), np.nan)
    return found[ends] / (ends + 1), recall, ranked[ends]


def average_precision(labels: NDArray[Any], scores: NDArray[Any]) -> float:
    """Return the area under the precision-recall steps for labels 0 and 1; NaN without a positive label."""
    precision, recall, _ = precision_recall(labels, scores)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def best_f1(labels: NDArray[Any], scores: NDArray[Any]) -> tuple[float, float]:
    """Return the best F1 of any threshold, and the threshold: from there on a score is positive."""
    precision, recall, threshold = precision_recall(labels, scores)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    best = int(np.argmax(f1))
    return float(f1[best]), float(threshold[best])


def relevant_ranks(scores: NDArray[Any], relevant: Positions) -> Positions:
    """Return the sorted ranks, from 1, of the ``relevant`` ones of ``(n,)`` scores; earlier wins a tie."""
    own = scores[relevant]
    ahead = (scores[None, :] > own[:, None]).sum(axis=1)
    ties = np.asarray([np.count_nonzero(scores[:column] == scores[column]) for column in relevant], dtype=np.int64)
    return np.asarray(np.sort(ahead + ties + 1), dtype=np.int64)


def ndcg(gains: Sequence[tuple[int, float]], k: int) -> float:
    """Return nDCG@k of ``(rank, gain)`` of every relevant document, gains linear."""
    reached = sum(gain / np.log2(rank + 1) for rank, gain in gains if rank <= k)
    ideal = sorted((gain for _, gain in gains), reverse=True)[:k]
    return float(reached / sum(gain / np.log2(place + 1) for place, gain in enumerate(ideal, start=1)))


def v_measure(labels: NDArray[Any], clusters: NDArray[Any]) -> float:
    """Return the harmonic mean of homogeneity and completeness of a clustering."""
    _, rows = np.unique(labels, return_inverse=True)
    _, columns = np.unique(clusters, return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)
    joint = table / table.sum()
    of_labels, of_clusters = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
    shared = of_labels + of_clusters - _entropy(joint.ravel())
    # Both measures share one numerator, so their harmonic mean needs no case for an entropy of zero but this.
    return float(2 * shared / (of_labels + of_clusters)) if of_labels + of_clusters > 0 else 1.0


def _entropy(shares: Floats) -> float:
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum())


def bootstrap(statistic: Statistic, n: int, *, samples: int = SAMPLES, seed: int = 0) -> Floats:
    """Return ``statistic`` of resamples of ``n`` units, which depend on ``n`` and the seed only."""
    draw = np.random.default_rng(seed)
    return np.asarray([statistic(draw.integers(0, n, size=n)) for _ in range(samples)], dtype=np.float64)


def interval(values: Floats, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval; resamples without a figure (NaN) are left out."""
    kept = values[np.isfinite(values)]
    if not len(kept):
        return float("nan"), float("nan")
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def two_sided_p(differences: Floats) -> float:
    """Return the share of resampled differences on the other side of zero, doubled; never exactly zero."""
    kept = differences[np.isfinite(differences)]
    tail = min(np.count_nonzero(kept <= 0), np.count_nonzero(kept >= 0))
    return float(min(1.0, 2 * (tail + 1) / (len(kept) + 1)))
