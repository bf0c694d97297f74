"""Words of topics: class-based TF-IDF over Korean nouns and stems, without the words that say nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from ..grouping import Labels
from ..morphemes import load_analyser

# One syllable is too little to read on its own (전, 성, 대), though a topic may well turn on one (돈, 집).
SHORT_WEIGHT = 0.35
VERB_WEIGHT = 0.5
# A word must be in this many texts of a topic, so that a rare typing error does not name it.
MIN_TEXTS = 3


@dataclass(frozen=True)
class TermCounts:
    """In how many texts of each topic each term occurs.

    :param vocabulary: the terms, sorted.
    :param counts: ``(topics, terms)`` int32, kept as ``(row, column, count)`` triples in ``entries``.
    """

    vocabulary: tuple[str, ...]
    entries: NDArray[np.int32]  # (non-zero, 3)
    topics: int

    def dense_rows(self) -> list[dict[int, int]]:
        """Return ``{term: texts}`` of each topic."""
        rows: list[dict[int, int]] = [{} for _ in range(self.topics)]
        for row, column, count in self.entries.tolist():
            rows[row][column] = count
        return rows

    def merged(self, target: Sequence[int]) -> TermCounts:
        """Return the counts with topic ``i`` added to topic ``target[i]``; -1 drops it."""
        total: Counter[tuple[int, int]] = Counter()
        for row, column, count in self.entries.tolist():
            if target[row] >= 0:
                total[target[row], column] += count
        entries = np.array([(*key, n) for key, n in sorted(total.items())], dtype=np.int32).reshape(-1, 3)
        return TermCounts(self.vocabulary, entries, max(target, default=-1) + 1)

    def words(self, sizes: Sequence[int], top: int = 10) -> list[tuple[str, ...]]:
        """Return the ``top`` words of each topic: frequent there, rare elsewhere.

        Class-based TF-IDF, times the share of a word's occurrences beyond what any topic has of it: with few
        topics the logarithm alone would let 영화 name every topic of film reviews.

        :param sizes: texts of each topic.
        """
        spread = np.bincount(self.entries[:, 1], self.entries[:, 2], minlength=len(self.vocabulary))
        average = max(1.0, float(spread.sum()) / max(1, self.topics))
        rarity = np.log1p(average / np.maximum(spread, 1)) * self._readability()
        common = spread / max(1, sum(sizes))
        out = []
        for row, size in zip(self.dense_rows(), sizes, strict=True):
            floor = min(MIN_TEXTS, max(1, size // 5))
            share = {c: n / max(1, size) for c, n in row.items() if n >= floor}
            beyond = {c: 1.0 if self.topics == 1 else max(0.0, 1 - common[c] / own) for c, own in share.items()}
            scored = [(own * rarity[c] * beyond[c], c) for c, own in share.items() if beyond[c] > 0]
            # Ties go by the alphabet, so that the same texts always give the same name.
            ranked = [self.vocabulary[c] for _, c in sorted(scored, key=lambda pair: (-pair[0], pair[1]))]
            out.append(tuple(_different(ranked, top)))
        return out

    def _readability(self) -> NDArray[np.float64]:
        return np.array(
            [
                (SHORT_WEIGHT if len(term) == 1 else 1.0) * (VERB_WEIGHT if is_verb(term) else 1.0)
                for term in self.vocabulary
            ]
        )


def count_terms(
    texts: Sequence[str],
    labels: Labels,
    topics: int,
    *,
    stop_words: Iterable[str] = (),
    progress: Callable[[int], None] | None = None,
) -> TermCounts:
    """Count the nouns and stems of the texts of each topic; a word counts once a text.

    :param labels: ``(len(texts),)``; -1 is left out.
    :param stop_words: words to leave out beside those of ``stop_words.txt``.
    """
    dropped = _stop_words() | {word.strip().lower() for word in stop_words}
    counters: list[Counter[str]] = [Counter() for _ in range(topics)]
    rows = [row for row in range(len(texts)) if labels[row] >= 0]
    stems = load_analyser().stems(texts[row] for row in rows)
    for row, terms in zip(rows, stems, strict=True):
        counters[labels[row]].update({term for term in terms if term not in dropped and not _number(term)})
        if progress:
            progress(1)
    vocabulary = tuple(sorted(set().union(*counters)))
    place = {term: at for at, term in enumerate(vocabulary)}
    entries = [(topic, place[term], count) for topic, counter in enumerate(counters) for term, count in counter.items()]
    return TermCounts(vocabulary, np.array(sorted(entries), dtype=np.int32).reshape(-1, 3), topics)


def is_verb(term: str) -> bool:
    """Whether a term is a verb or adjective in dictionary form."""
    return len(term) > 1 and term.endswith("다")


def topic_name(words: Sequence[str], fallback: str) -> str:
    """Return a name of up to three words, nouns first; ``fallback`` where there are none."""
    nouns = [word for word in words[:6] if not is_verb(word)]
    chosen = (nouns + [word for word in words if word not in nouns])[:3]
    return " · ".join(chosen) or fallback


def _different(ranked: Sequence[str], top: int) -> list[str]:
    """Leave out words that are part of a better one, or hold one (영화, 영화관)."""
    kept: list[str] = []
    for word in ranked:
        if len(kept) == top:
            break
        if not any(word in other or other in word for other in kept if min(len(word), len(other)) > 1):
            kept.append(word)
    return kept


def _number(term: str) -> bool:
    return not any(character.isalpha() for character in term)


@lru_cache(maxsize=1)
def _stop_words() -> frozenset[str]:
    lines = files(__package__).joinpath("stop_words.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
