"""Clustering against known groups, scipy's linkage and every order of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from ko_sentence_transformers.clustering import OUTLIER, Clusters, cluster, stability
from ko_sentence_transformers.errors import InputError

metrics = pytest.importorskip("sklearn.metrics")
pytest.importorskip("umap")

WAYS = [{"k": 4}, {"threshold": 0.5}, {}, {"reassign_outliers": True}]
NAMES = ["kmeans", "agglomerative", "density", "reassigned"]


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def groups() -> tuple[np.ndarray, np.ndarray]:
    """Four tight groups of 90, 70, 50 and 40 rows, and which is which."""
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), [90, 70, 50, 40])
    return unit(np.eye(16)[truth * 3] + random.normal(0, 0.12, (250, 16))), truth


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_finds_the_groups_in_order_of_size(groups, way) -> None:
    embeddings, truth = groups
    found = cluster(embeddings, **way)
    kept = found.labels != OUTLIER
    assert metrics.adjusted_rand_score(truth[kept], found.labels[kept]) > 0.99
    assert found.outlier_share < 0.05
    assert list(found.sizes) == sorted(found.sizes, reverse=True)
    assert found.centres.shape == (4, 16)
    np.testing.assert_allclose(np.linalg.norm(found.centres, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_same_for_any_order_of_the_rows(groups, way) -> None:
    embeddings, _ = groups
    order = np.random.default_rng(1).permutation(len(embeddings))
    np.testing.assert_array_equal(cluster(embeddings, **way).labels[order], cluster(embeddings[order], **way).labels)


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_repeated_rows_share_a_topic(groups, way) -> None:
    embeddings = np.repeat(groups[0], 2, axis=0)
    labels = cluster(embeddings, **way).labels
    np.testing.assert_array_equal(labels[0::2], labels[1::2])


@pytest.mark.parametrize("rows", [100, 700])
def test_k_means_keeps_groups_of_groups_together(rows) -> None:
    random = np.random.default_rng(0)
    outer, inner = unit(random.normal(size=(3, 64))), unit(random.normal(size=(9, 64)))
    truth = random.integers(0, 9, rows)
    embeddings = outer[truth // 3] + 0.5 * inner[truth] + random.normal(0, 0.05, (rows, 64))
    assert metrics.adjusted_rand_score(truth // 3, cluster(embeddings, k=3).labels) == 1


def test_agglomerative_is_average_linkage() -> None:
    from scipy.cluster.hierarchy import fcluster, linkage

    embeddings = unit(np.random.default_rng(2).normal(size=(40, 5)))
    expected = fcluster(linkage(embeddings, "average", metric="cosine"), 0.6, "distance")
    found = cluster(embeddings, threshold=0.4)
    sizes = np.bincount(expected)[expected]
    np.testing.assert_array_equal(found.labels == OUTLIER, sizes < 2)
    assert metrics.adjusted_rand_score(expected[sizes > 1], found.labels[sizes > 1]) == 1


def test_many_rows_are_joined_through_prototypes(groups, monkeypatch) -> None:
    monkeypatch.setattr("ko_sentence_transformers.grouping.LINKAGE_POINTS", 60)
    assert metrics.adjusted_rand_score(groups[1], cluster(groups[0], threshold=0.5).labels) > 0.99


def test_many_rows_find_their_cores_in_a_sample(groups, monkeypatch) -> None:
    monkeypatch.setattr("ko_sentence_transformers.grouping.CORE_POINTS", 120)
    found = cluster(groups[0], reassign_outliers=True)
    assert metrics.adjusted_rand_score(groups[1], found.labels) > 0.99


def test_reassigning_leaves_no_outliers(groups) -> None:
    noise = unit(np.random.default_rng(3).normal(size=(30, 16)))
    embeddings = np.concatenate([groups[0], noise])
    assert cluster(embeddings, reassign_outliers=True).outlier_share == 0
    assert cluster(embeddings, threshold=0.5, reassign_outliers=True).outlier_share == 0


def test_stability_is_high_for_clear_groups_and_low_for_noise(groups) -> None:
    noise = unit(np.random.default_rng(4).normal(size=(200, 32)))
    assert stability(groups[0], cluster(groups[0], k=4)) > 0.95
    assert stability(noise, cluster(noise, k=8)) < 0.5
    order = np.random.default_rng(5).permutation(len(groups[0]))
    shuffled = groups[0][order]
    assert stability(shuffled, cluster(shuffled, k=4)) == stability(groups[0], cluster(groups[0], k=4))


def test_assign_gives_old_rows_their_topic_and_far_rows_none(groups) -> None:
    embeddings, _ = groups
    found = cluster(embeddings, threshold=0.5)
    labels, scores = found.assign(embeddings)
    assert np.mean(labels == found.labels) > 0.9
    far = -embeddings.mean(axis=0, keepdims=True)
    assert found.assign(far)[0].tolist() == [OUTLIER]
    assert found.assign(np.zeros((1, 16)))[0].tolist() == [OUTLIER]
    expected = (embeddings @ found.centres.T).max(axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    with pytest.raises(InputError, match="5 dimensions"):
        found.assign(np.ones((1, 5)))


@pytest.mark.parametrize("rows", [1, 2, 5, 59])
def test_all_equal_texts_are_one_topic(rows) -> None:
    found = cluster(np.ones((rows, 8)))
    assert found.labels.tolist() == [0] * rows


def test_few_rows_split_at_a_clear_gap() -> None:
    rows = unit(np.array([[1, 0, 0.01], [1, 0.02, 0], [1, 0.01, 0.02], [0, 1, 0.01], [0, 1, 0.03], [0.02, 1, 0]]))
    assert cluster(rows).labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_blank_rows_have_no_topic_in_any_method() -> None:
    rows = np.concatenate([unit(np.random.default_rng(0).normal(size=(6, 4))), np.zeros((2, 4))])
    for way in ({"k": 2}, {"threshold": 0.1}, {"reassign_outliers": True}):
        assert cluster(rows, **way).labels[6:].tolist() == [OUTLIER, OUTLIER]


def test_nothing_to_group() -> None:
    found = cluster(np.zeros((0, 4)))
    assert isinstance(found, Clusters)
    assert len(found) == 0 and found.outlier_share == 0
    assert cluster(np.zeros((3, 4))).labels.tolist() == [OUTLIER] * 3


def test_one_dimension_is_enough() -> None:
    assert len(set(cluster(np.array([[1.0], [2.0], [-1.0], [-3.0]]), k=2).labels)) == 2


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ({"k": 9}, "only 3 different"),
        ({"k": 0}, "k is 0"),
        ({"k": 2, "threshold": 0.5}, "exclude"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"min_topic_size": 1}, "min_topic_size is 1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_options_that_do_not_fit(way, message) -> None:
    with pytest.raises(InputError, match=message):
        cluster(np.eye(3), **way)


def test_embeddings_that_cannot_be_used() -> None:
    rows = np.eye(4)
    rows[2, 1] = np.nan
    with pytest.raises(InputError, match="row 2 holds NaN"):
        cluster(rows)
    with pytest.raises(InputError, match="shape"):
        cluster(np.ones(4))
