"""Sentences that training and test rows share, compared without case, spaces and punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .rows import Row, Rows, RowT

_NOT_A_LETTER = re.compile(r"[\W_]+")


def overlap_key(text: str) -> str:
    """Return ``text`` without case, width, spaces and punctuation; empty where nothing else was there."""
    return _NOT_A_LETTER.sub("", unicodedata.normalize("NFKC", text).casefold())


@dataclass(frozen=True)
class Overlap:
    """What two sets of rows share.

    :param rows: positions of training rows with at least one sentence of the test rows.
    :param whole_rows: those of them whose sentences all occur together in one test row (in any order).
    :param sentences: number of distinct shared sentences.
    :param examples: up to ten shared sentences, as the training rows write them.
    """

    train_rows: int
    test_rows: int
    rows: tuple[int, ...]
    whole_rows: tuple[int, ...]
    sentences: int
    examples: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the counts and examples as plain values."""
        return {
            "train_rows": self.train_rows,
            "test_rows": self.test_rows,
            "rows_sharing_a_sentence": len(self.rows),
            "rows_shared_whole": len(self.whole_rows),
            "shared_sentences": self.sentences,
            "examples": list(self.examples),
        }


def find_overlap(train: Iterable[Row], test: Iterable[Row]) -> Overlap:
    """Find the training rows that hold a sentence of the test rows."""
    test_keys: set[str] = set()
    test_wholes: set[frozenset[str]] = set()
    test_count = 0
    for row in test:
        keys = frozenset(map(overlap_key, row.texts))
        test_count += 1
        test_wholes.add(keys)
        test_keys |= keys
    test_keys.discard("")
    rows, whole_rows, shared = [], [], dict[str, str]()
    train_count = 0
    for position, row in enumerate(train):
        train_count += 1
        keyed = [(overlap_key(text), text) for text in row.texts]
        common = [(key, text) for key, text in keyed if key in test_keys]
        if common:
            rows.append(position)
            for key, text in common:
                shared.setdefault(key, text)
            if frozenset(key for key, _ in keyed) in test_wholes:
                whole_rows.append(position)
    examples = tuple(list(shared.values())[:10])
    return Overlap(train_count, test_count, tuple(rows), tuple(whole_rows), len(shared), examples)


def without_overlap(train: Rows[RowT], test: Iterable[Row]) -> tuple[RowT, ...]:
    """Return the training rows that share no sentence with the test rows."""
    shared = set(find_overlap(train, test).rows)
    return tuple(row for position, row in enumerate(train) if position not in shared)
