"""Every figure against scipy's or sklearn's."""

import math

import numpy as np
import pytest

from ko_sentence_transformers.metrics import (
    average_precision,
    best_f1,
    bootstrap,
    interval,
    mean_ranks,
    ndcg,
    pearson,
    relevant_ranks,
    spearman,
    two_sided_p,
    v_measure,
)


def sample(kind, n, seed):
    draw = np.random.default_rng(seed)
    if kind == "continuous":
        return draw.normal(size=n), draw.normal(size=n)
    if kind == "ties":
        return draw.integers(0, 6, n) / 5, np.round(draw.normal(size=n), 1)
    return 1e6 + draw.normal(size=n) * 1e-3, draw.normal(size=n)  # far from zero


@pytest.mark.parametrize("kind", ["continuous", "ties", "offset"])
@pytest.mark.parametrize("n", [2, 7, 1379])
def test_correlations_equal_scipy(kind, n):
    stats = pytest.importorskip("scipy.stats")
    for seed in range(5):
        x, y = sample(kind, n, seed)
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            continue
        assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-6)
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
        assert np.array_equal(mean_ranks(x), stats.rankdata(x))


def test_a_constant_has_no_correlation():
    assert math.isnan(pearson(np.ones(5), np.arange(5)))
    assert math.isnan(spearman(np.arange(5), np.ones(5)))


@pytest.mark.parametrize("decimals", [1, 6])
def test_precision_equals_sklearn(decimals):
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(1)
    for _ in range(20):
        labels = draw.integers(0, 2, 60)
        labels[:2] = 0, 1
        scores = np.round(draw.normal(size=60) + labels, decimals)  # one decimal: many ties
        assert average_precision(labels, scores) == pytest.approx(
            metrics.average_precision_score(labels, scores), abs=1e-9
        )
        f1, threshold = best_f1(labels, scores)
        assert f1 == pytest.approx(metrics.f1_score(labels, scores >= threshold))
        assert f1 == pytest.approx(max(metrics.f1_score(labels, scores >= t) for t in scores))


def test_ndcg_equals_sklearn():
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(2)
    for k in (1, 10, 100):
        scores = draw.normal(size=50)
        gains = np.zeros(50)
        columns = draw.choice(50, 12, replace=False)
        gains[columns] = draw.integers(1, 4, 12)
        ranks = {c: int((scores > scores[c]).sum()) + 1 for c in columns}
        own = ndcg([(ranks[c], gains[c]) for c in columns], k)
        assert own == pytest.approx(metrics.ndcg_score([gains], [scores], k=k))


def test_relevant_ranks_break_ties_by_position():
    scores = np.array([0.5, 0.9, 0.5, 0.5, 0.1])
    assert relevant_ranks(scores, np.array([3, 0])).tolist() == [2, 4]
    assert relevant_ranks(scores, np.array([4])).tolist() == [5]
    order = np.argsort(-scores, kind="stable").tolist()
    assert [int(relevant_ranks(scores, np.array([c]))[0]) for c in order] == [1, 2, 3, 4, 5]


def test_v_measure_equals_sklearn():
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(3)
    cases = [(draw.integers(0, 5, 200), draw.integers(0, 7, 200)) for _ in range(5)]
    cases += [(np.arange(6), np.arange(6)), (np.zeros(6), np.zeros(6)), (np.zeros(6), np.arange(6))]
    for labels, clusters in cases:
        expected = metrics.v_measure_score(labels, clusters)
        assert v_measure(labels, clusters) == pytest.approx(expected, abs=1e-9)


def test_the_bootstrap_is_repeatable_and_covers_the_mean():
    values = np.random.default_rng(4).normal(loc=1.0, size=400)
    first = bootstrap(lambda i: float(values[i].mean()), 400)
    assert np.array_equal(first, bootstrap(lambda i: float(values[i].mean()), 400))
    low, high = interval(first)
    # The interval of a mean is known: 1.96 standard errors to each side.
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error * 1.96)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error * 1.96)


def test_the_interval_equals_scipys_bootstrap():
    stats = pytest.importorskip("scipy.stats")
    draw = np.random.default_rng(5)
    x = draw.normal(size=300)
    y = x + draw.normal(size=300)
    low, high = interval(bootstrap(lambda i: spearman(x[i], y[i]), 300))
    reference = stats.bootstrap(
        (x, y),
        lambda a, b: stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(6),
    ).confidence_interval
    assert low == pytest.approx(reference.low, abs=0.015)
    assert high == pytest.approx(reference.high, abs=0.015)


def test_p_values():
    assert two_sided_p(np.full(999, 0.5)) == pytest.approx(2 / 1000)
    assert two_sided_p(np.zeros(999)) == 1.0
    assert two_sided_p(np.r_[np.full(500, 1.0), np.full(500, -1.0)]) == 1.0
