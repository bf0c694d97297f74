"""Duplicates and paraphrases against all pairs by numpy and against sentence-transformers."""

from __future__ import annotations

import numpy as np
import pytest

from ko_sentence_transformers import mining
from ko_sentence_transformers.errors import InputError


def vectors(rows: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    """Three in ten rows are a slightly changed copy of another."""
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((rows, dim))
    copies = rng.choice(rows, int(rows * 0.3), replace=False)
    base[copies] = base[rng.integers(0, rows, len(copies))] + 0.05 * rng.standard_normal((len(copies), dim))
    return (base / np.linalg.norm(base, axis=1, keepdims=True)).astype(np.float32)


def reference(matrix: np.ndarray, keys: list, threshold: float) -> set[tuple[int, ...]]:
    """The rule in its plainest form, over the matrix of all cosines."""
    near = matrix @ matrix.T >= threshold
    owner: dict[int, int] = {}
    for row in sorted(range(len(matrix)), key=keys.__getitem__):
        if row not in owner:
            owner[row] = row
            for other in np.flatnonzero(near[row]).tolist():
                owner.setdefault(other, row)
    groups: dict[int, list[int]] = {}
    for row in range(len(matrix)):
        groups.setdefault(owner[row], []).append(row)
    return {(k, *(r for r in g if r != k)) for k, g in groups.items() if len(g) > 1}


@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.99])
def test_duplicates_follow_the_rule(threshold):
    matrix = vectors(700)
    keys = np.random.default_rng(1).permutation(700).tolist()
    found = mining.duplicates(matrix, keys, threshold=threshold)
    assert set(found.groups) == reference(matrix, keys, threshold)
    kept = np.array(found.kept)
    assert len(kept) == 700 - sum(len(group) - 1 for group in found.groups)
    between = matrix[kept] @ matrix[kept].T - 2 * np.eye(len(kept))
    assert between.max() < threshold  # nothing that is kept is near anything else that is kept
    assert found.ratio == pytest.approx(1 - len(kept) / 700)


def test_the_order_of_rows_changes_nothing():
    matrix = vectors(500)
    keys = [hash(row.tobytes()) for row in matrix]
    order = np.random.default_rng(2).permutation(500)
    plain = {frozenset(group) for group in mining.duplicates(matrix, keys).groups}
    mixed = mining.duplicates(matrix[order], [keys[i] for i in order])
    assert {frozenset(order[list(group)].tolist()) for group in mixed.groups} == plain


def test_paraphrases_are_those_of_sentence_transformers():
    util = pytest.importorskip("sentence_transformers.util")
    torch = pytest.importorskip("torch")
    matrix = vectors(400)
    expected = [
        (i, j, s)
        for s, i, j in util.paraphrase_mining_embeddings(torch.from_numpy(matrix), top_k=399, max_pairs=80_000)
        if s >= 0.8
    ]
    found = mining.paraphrases(matrix, threshold=0.8, limit=10_000)
    assert {(p.first, p.second) for p in found} == {(min(i, j), max(i, j)) for i, j, _ in expected}
    np.testing.assert_allclose([p.score for p in found], sorted((s for *_, s in expected), reverse=True), atol=1e-5)
    assert found[:7] == mining.paraphrases(matrix, threshold=0.8, limit=7)


def test_cells_find_what_all_pairs_find(monkeypatch):
    pytest.importorskip("faiss")
    matrix = vectors(3000)
    keys = list(range(3000))
    exact = mining.duplicates(matrix, keys)
    pairs = mining.paraphrases(matrix, limit=2000)
    monkeypatch.setattr(mining, "EXACT_ROWS", 1000)
    near = mining.duplicates(matrix, keys)
    assert len(set(near.groups) & set(exact.groups)) >= 0.98 * len(exact.groups)
    assert near == mining.duplicates(matrix, keys)
    found = mining.paraphrases(matrix, limit=2000)
    rows = [{(pair.first, pair.second) for pair in some} for some in (found, pairs)]
    assert len(rows[0] & rows[1]) >= 0.98 * len(pairs)


def test_a_crowd_larger_than_the_neighbours_asked_for(monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(mining, "EXACT_ROWS", 100)
    matrix = vectors(1500)
    matrix[::3] = matrix[0]
    found = mining.duplicates(matrix, list(range(1500)))
    assert max(map(len, found.groups)) >= 500


@pytest.mark.parametrize("rows", [1, 2, 257])
def test_few_rows_and_blank_ones(rows):
    matrix = np.zeros((rows, 4), np.float32)
    assert mining.duplicates(matrix, list(range(rows))).groups == ()
    assert mining.paraphrases(matrix) == []


def test_progress_and_options():
    done: list[int] = []
    mining.duplicates(vectors(600), list(range(600)), progress=done.append)
    mining.paraphrases(vectors(600), progress=done.append)
    assert sum(done) == 1200
    for threshold in (0, 1.1, -1):
        with pytest.raises(InputError, match="threshold"):
            mining.duplicates(vectors(3), [0, 1, 2], threshold=threshold)
    with pytest.raises(InputError, match="limit"):
        mining.paraphrases(vectors(3), limit=0)
