"""Rows are filled, no text is lost or cut, and the shapes are few."""

from __future__ import annotations

import numpy as np
import pytest

from ko_sentence_transformers.packing import fill_rows, pack


@pytest.mark.parametrize("seed", range(5))
def test_every_text_once_and_rows_are_full(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 60, size=2000)
    rows = fill_rows(lengths, 128)
    assert sorted(position for row in rows for position in row) == list(range(2000))
    filled = [int(lengths[row].sum()) for row in rows]
    assert max(filled) <= 128
    assert sum(filled) / (128 * len(rows)) > 0.98


def test_a_text_longer_than_a_row_has_its_own() -> None:
    rows = fill_rows(np.array([10, 300, 20]), 128)
    assert rows[0] == [1] and sorted(rows[1]) == [0, 2]


def test_capacity_zero_gives_each_text_a_row() -> None:
    assert fill_rows(np.array([5, 9, 7]), 0) == [[1], [2], [0]]


def test_segments_are_numbered_from_one() -> None:
    parts = [np.array([7, 8]), np.array([9]), np.array([4, 5, 6])]
    batch = pack(parts, [[2, 0], [1]], (4, 6), pad_id=1)
    np.testing.assert_array_equal(batch.input_ids[0], [4, 5, 6, 7, 8, 1])
    np.testing.assert_array_equal(batch.attention_mask[0], [1, 1, 1, 2, 2, 0])
    np.testing.assert_array_equal(batch.texts, [2, 0, 1])
    np.testing.assert_array_equal(batch.lengths, [3, 2, 1])
    assert batch.attention_mask[2:].sum() == 2
