"""From the embeddings of a task's texts to its figures, and the main one over any resample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._extras import require
from .data import LabeledText, Pair, Rows, ScoredPair
from .encoding import Embeddings, similarity
from .errors import InputError, ModelError
from .metrics import (
    Floats,
    Positions,
    Statistic,
    average_precision,
    best_f1,
    ndcg,
    pearson,
    relevant_ranks,
    spearman,
    v_measure,
)

RECALL_AT = (1, 5, 10, 100)
# K-means starts somewhere at random: the figure is the mean over these fixed starts.
KMEANS_SEEDS = (0, 1, 2, 3)
_CHUNK = 512


@dataclass(frozen=True)
class Outcome:
    """The figures of one task (0 to 1, or a correlation) and how to have the main one for a resample.

    :param n: the units that are resampled: pairs, queries, texts or groups.
    :param points: for sentence pairs, ``(gold score, cosine)`` of each.
    """

    n: int
    metrics: dict[str, float]
    statistic: Statistic
    points: tuple[Floats, Floats] | None = None


@dataclass(frozen=True)
class RetrievalData:
    """Queries, documents, and the gain of each relevant document (by position) of each query."""

    queries: tuple[str, ...]
    documents: tuple[str, ...]
    relevant: tuple[dict[int, float], ...]

    def __len__(self) -> int:
        return len(self.queries)


def score_sts(rows: Rows[ScoredPair], embeddings: Sequence[Embeddings]) -> Outcome:
    """Return the eight correlations of KorSTS: four similarities, Pearson and Spearman."""
    gold = np.asarray([row.score for row in rows], dtype=np.float64)
    if len(set(gold.tolist())) < 2:
        raise InputError(f"{rows.reports[0].path}: every score is {gold[0]:g}; a correlation needs different ones")
    similarities = pair_similarities(*embeddings)
    # Rounding alone tells equal pairs apart by less than this.
    if np.ptp(similarities["cosine"]) < 1e-6:
        raise ModelError("the model finds every pair equally similar; its embeddings have collapsed")
    metrics = {}
    for name, values in similarities.items():
        metrics[f"{name}_pearson"] = pearson(values, gold)
        metrics[f"{name}_spearman"] = spearman(values, gold)
    cosine = similarities["cosine"]
    return Outcome(len(rows), metrics, lambda i: spearman(cosine[i], gold[i]), (gold, cosine))


def pair_similarities(a: Embeddings, b: Embeddings) -> dict[str, Floats]:
    """Return cosine, negated Euclidean and Manhattan distance, and dot product, row by row."""
    # The cosine is that of the unit vectors `encode` gives, to the bit: sentences that are the same differ by
    # rounding only, and another rounding would rank them in another order.
    units = (_unit(a).astype(np.float64), _unit(b).astype(np.float64))
    x, y = a.astype(np.float64), b.astype(np.float64)
    return {
        "cosine": np.einsum("ij,ij->i", *units),
        "euclidean": -np.linalg.norm(x - y, axis=1),
        "manhattan": -np.abs(x - y).sum(axis=1),
        "dot": np.einsum("ij,ij->i", x, y),
    }


def _unit(vectors: Embeddings) -> Embeddings:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Embeddings = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def score_binary(rows: Rows[ScoredPair], embeddings: Sequence[Embeddings]) -> Outcome:
    """Return average precision and the best F1 of the cosine for pairs labelled 0 or 1."""
    labels = np.asarray([row.score for row in rows], dtype=np.float64)
    if set(labels.tolist()) != {0.0, 1.0}:
        raise InputError(f"{rows.reports[0].path}: the scores of pairs are 0 and 1, and both must be there")
    cosine = pair_similarities(*embeddings)["cosine"]
    f1, threshold = best_f1(labels, cosine)
    metrics = {
        "average_precision": average_precision(labels, cosine),
        "best_f1": f1,
        "best_f1_threshold": threshold,
    }
    return Outcome(len(rows), metrics, lambda i: average_precision(labels[i], cosine[i]), (labels, cosine))


def score_retrieval(data: RetrievalData, embeddings: Sequence[Embeddings]) -> Outcome:
    """Return recall@k, the mean reciprocal rank and nDCG@10 over the queries, by exact search."""
    queries, documents = embeddings
    gains: list[list[tuple[int, float]]] = []
    for start in range(0, len(queries), _CHUNK):
        scores = similarity(queries[start : start + _CHUNK], documents)
        for row, relevant in zip(scores, data.relevant[start : start + _CHUNK], strict=True):
            columns = np.fromiter(relevant, dtype=np.int64)
            # Best score first, so that each gain stands beside the rank of its own document.
            columns = columns[np.lexsort((columns, -row[columns]))]
            ranks = relevant_ranks(row, columns).tolist()
            gains.append([(rank, relevant[column]) for rank, column in zip(ranks, columns.tolist(), strict=True)])
    ndcgs = np.asarray([ndcg(row, 10) for row in gains])
    metrics = {"ndcg_at_10": float(ndcgs.mean()), "mrr": float(np.mean([1 / row[0][0] for row in gains]))}
    for k in RECALL_AT:
        metrics[f"recall_at_{k}"] = float(np.mean([sum(rank <= k for rank, _ in row) / len(row) for row in gains]))
    return Outcome(len(data), metrics, lambda i: float(ndcgs[i].mean()))


def score_bitext(rows: Rows[Pair], embeddings: Sequence[Embeddings]) -> Outcome:
    """Return how often the nearest sentence of the other language is the translation, in both directions."""
    forward = _nearest_is_own([row.positive for row in rows], embeddings[0], embeddings[1])
    backward = _nearest_is_own([row.anchor for row in rows], embeddings[1], embeddings[0])
    both = (forward + backward) / 2
    metrics = {
        "accuracy": float(both.mean()),
        "forward_accuracy": float(forward.mean()),
        "backward_accuracy": float(backward.mean()),
    }
    return Outcome(len(rows), metrics, lambda i: float(both[i].mean()))


def _nearest_is_own(targets: list[str], queries: Embeddings, corpus: Embeddings) -> Floats:
    """Return 1 where the nearest row of ``corpus`` is the query's own (or has the same text)."""
    right = np.zeros(len(targets))
    for start in range(0, len(targets), _CHUNK):
        nearest = similarity(queries[start : start + _CHUNK], corpus).argmax(axis=1)
        right[start : start + len(nearest)] = [
            targets[found] == targets[start + own] for own, found in enumerate(nearest)
        ]
    return right


def score_groups(rows: Rows[LabeledText], embeddings: Sequence[Embeddings]) -> Outcome:
    """Return how well the neighbours of a sentence are its paraphrases; texts without one are left out.

    R-precision: of the ``r`` nearest, where ``r`` is how many paraphrases there are, the share that are.
    Groups are resampled whole, since their members stand or fall together.
    """
    names, group = np.unique([row.label for row in rows], return_inverse=True)
    sizes = np.bincount(group)
    if not (sizes > 1).any():
        raise InputError(f"{rows.reports[0].path}: no group has two texts")
    precision, mean_average = np.full(len(group), np.nan), np.full(len(group), np.nan)
    matrix = embeddings[0]
    for start in range(0, len(group), _CHUNK):
        scores = similarity(matrix[start : start + _CHUNK], matrix)
        for row in range(len(scores)):
            own = start + row
            scores[row, own] = -np.inf
            mates = np.flatnonzero(group == group[own])
            mates = mates[mates != own]
            if len(mates):
                ranks = relevant_ranks(scores[row], mates)
                precision[own] = np.count_nonzero(ranks <= len(mates)) / len(mates)
                mean_average[own] = np.mean(np.arange(1, len(mates) + 1) / ranks)
    kept = np.isfinite(precision)
    sums = np.bincount(group[kept], weights=precision[kept], minlength=len(names))[sizes > 1]
    counts = sizes[sizes > 1]
    metrics = {"r_precision": float(precision[kept].mean()), "map": float(mean_average[kept].mean())}
    return Outcome(len(counts), metrics, lambda i: float(sums[i].sum() / counts[i].sum()))


def score_topics(rows: Rows[LabeledText], embeddings: Sequence[Embeddings]) -> Outcome:
    """Return the V-measure of k-means with as many clusters as there are topics, averaged over fixed starts.

    The clusters stay as they are in the bootstrap; the texts are resampled.
    """
    cluster = require("sklearn.cluster", extra="topics")
    _, labels = np.unique([row.label for row in rows], return_inverse=True)
    count = int(labels.max()) + 1
    if count < 2:
        raise InputError(f"{rows.reports[0].path}: every text has the topic {rows[0].label!r}; there must be two")
    unit = _unit(embeddings[0])
    found: list[NDArray[np.int64]] = [
        cluster.KMeans(count, n_init=4, random_state=seed).fit_predict(unit) for seed in KMEANS_SEEDS
    ]

    def mean_v(positions: Positions) -> float:
        return float(np.mean([v_measure(labels[positions], clusters[positions]) for clusters in found]))

    return Outcome(len(rows), {"v_measure": mean_v(np.arange(len(labels)))}, mean_v)
