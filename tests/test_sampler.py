from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from ko_sentence_transformers.errors import InputError
from ko_sentence_transformers.recipe import DataSet
from ko_sentence_transformers.training.sampler import LengthGroupedBatchSampler, MixedBatchSampler
from ko_sentence_transformers.training.sets import TrainingSet
from training_data import sentences


def pairs(anchors: list[str], positives: list[str], size: int, *, loss: str = "mnrl", name: str = "s") -> TrainingSet:
    scores = None if loss == "mnrl" else np.zeros(len(anchors), np.float32)
    columns = {"anchor": tuple(anchors), "positive": tuple(positives)}
    return TrainingSet(name, DataSet(), loss, size, columns, scores, ())


def test_no_text_twice_in_a_batch_and_every_batch_full() -> None:
    texts = sentences(150)
    draw = random.Random(0)
    # Every text is the anchor or the positive of several rows.
    anchors, positives = zip(*((draw.choice(texts), draw.choice(texts)) for _ in range(1000)), strict=True)
    item = pairs(list(anchors), list(positives), 32)
    for epoch in range(2):
        sampler = LengthGroupedBatchSampler(item, seed=3)
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == 1000 // 32
        for batch in batches:
            assert len(batch) == 32
            rows = Counter(text for row in batch for text in {anchors[row], positives[row]})
            assert max(rows.values()) == 1
        assert list(sampler) == batches  # the same again: a run taken up sees what it would have seen
    used = {row for batch in batches for row in batch}
    assert len(used) > 800


def test_almost_every_row_once_when_texts_differ() -> None:
    texts = sentences(200)
    batches = list(LengthGroupedBatchSampler(pairs(texts[:100], texts[100:], 8), seed=0))
    rows = [row for batch in batches for row in batch]
    assert len(rows) == len(set(rows)) == 96


def test_scored_rows_are_all_used_the_last_batch_too() -> None:
    texts = sentences(60)
    batches = list(LengthGroupedBatchSampler(pairs(texts[:30], texts[30:], 8, loss="cosine"), seed=0))
    assert sorted(row for batch in batches for row in batch) == list(range(30))
    assert sorted(map(len, batches)) == [6, 8, 8, 8]


def test_lengths_of_a_batch_are_alike() -> None:
    draw = random.Random(0)
    texts = ["가" * draw.randint(1, 50) + f" {n}" for n in range(3200)]

    def spread(by_length: bool) -> float:
        item = pairs(texts[:1600], texts[1600:], 16)
        sampler = LengthGroupedBatchSampler(item, seed=0, by_length=by_length)
        return float(np.mean([np.ptp(item.lengths[batch], axis=0).sum() for batch in sampler]))

    assert spread(True) < spread(False) / 3


def test_epochs_and_seeds_differ() -> None:
    texts = sentences(128)
    item = pairs(texts[:64], texts[64:], 8)
    sampler = LengthGroupedBatchSampler(item, seed=0)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(LengthGroupedBatchSampler(item, seed=1)) != first


def test_too_few_different_texts_is_an_error_not_a_hang() -> None:
    with pytest.raises(InputError, match=r"1 rows without a common text, batches of 4; lower train.batch_size"):
        list(LengthGroupedBatchSampler(pairs(["같은 말"] * 20, sentences(20), 4), seed=0))
    with pytest.raises(InputError, match="3 rows, too few for 2 processes"):
        LengthGroupedBatchSampler(pairs(sentences(3), sentences(3, 1), 4), seed=0, world_size=2)


def test_a_small_set_with_few_different_texts_gives_smaller_batches() -> None:
    anchors = [f"질문 {n % 3}" for n in range(12)]
    batches = list(LengthGroupedBatchSampler(pairs(anchors, sentences(12), 4), seed=0))
    assert len(batches) == 3 and all(len({anchors[row] for row in batch}) == len(batch) == 3 for batch in batches)


def test_sets_are_mixed_by_size_or_in_turns() -> None:
    texts = sentences(180)
    sets = [pairs(texts[:60], texts[60:120], 4, name="a"), pairs(texts[120:150], texts[150:180], 4, name="b")]
    children = [LengthGroupedBatchSampler(item, seed=0) for item in sets]
    mixed = MixedBatchSampler(children, mixing="proportional", seed=0)
    batches = list(mixed)
    assert len(batches) == len(mixed) == 15 + 7
    assert sum(batch[0] >= 60 for batch in batches) == 7
    assert all((batch[0] >= 60) == (row >= 60) for batch in batches for row in batch)
    turns = list(MixedBatchSampler(children, mixing="round_robin", seed=0))
    assert [batch[0] >= 60 for batch in turns] == [False, True] * 7
    assert len(MixedBatchSampler(children, mixing="round_robin", seed=0)) == 14


def test_processes_get_one_set_at_a_time_and_full_batches() -> None:
    texts = sentences(180)
    sets = [pairs(texts[:60], texts[60:120], 4, name="a"), pairs(texts[120:150], texts[150:180], 8, name="b")]
    children = [LengthGroupedBatchSampler(item, seed=0, world_size=2) for item in sets]
    batches = list(MixedBatchSampler(children, mixing="proportional", seed=0, world_size=2))
    assert len(batches) == 14 + 2
    for one, two in zip(batches[::2], batches[1::2], strict=True):
        assert (one[0] >= 60) == (two[0] >= 60) and len(one) == len(two) == (8 if one[0] >= 60 else 4)
