"""Topics a person can read: a name, words, and texts that stand for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..clustering import Clusters
from ..encoding import Embeddings
from ..grouping import Labels
from .words import TermCounts, topic_name

# Representatives are chosen among this many texts nearest to the centre.
CANDIDATES = 60
# How much a candidate's likeness to those already chosen counts against its nearness to the centre.
DIVERSITY = 0.5


@dataclass(frozen=True)
class Topic:
    """One topic.

    :param topic: its number, 0 the largest when they were made.
    :param size: texts in it.
    :param name: up to three words, or what a person or a language model called it.
    :param words: what sets its texts apart, best first.
    :param representatives: texts near its centre and different from each other.
    """

    topic: int
    size: int
    name: str
    words: tuple[str, ...]
    representatives: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the topic for JSON."""
        return asdict(self)


def describe(
    texts: Sequence[str], embeddings: Embeddings, clusters: Clusters, terms: TermCounts, *, representatives: int = 4
) -> list[Topic]:
    """Return the topics of ``clusters``, largest first.

    :param embeddings: ``(len(texts), dim)``, those that were clustered.
    :param terms: of the same texts and labels, see :func:`~ko_sentence_transformers.topics.words.count_terms`.
    """
    sizes = clusters.sizes.tolist()
    topics = []
    for number, words in enumerate(terms.words(sizes)):
        chosen = _representatives(texts, embeddings, clusters, number, representatives)
        name = topic_name(words, f"topic {number}")
        topics.append(Topic(number, sizes[number], name, words, chosen))
    return topics


def _representatives(
    texts: Sequence[str], embeddings: Embeddings, clusters: Clusters, topic: int, count: int
) -> tuple[str, ...]:
    """Return texts near the centre, each as unlike the ones before it as nearness allows."""
    rows = _first_of_each(texts, clusters.members(topic))
    nearness = embeddings[rows] @ clusters.centres[topic]
    best = np.argsort(-nearness, kind="stable")[:CANDIDATES]
    rows, nearness = rows[best], nearness[best]
    likeness = embeddings[rows] @ embeddings[rows].T
    chosen: list[int] = []
    while len(chosen) < min(count, len(rows)):
        against = likeness[:, chosen].max(axis=1) if chosen else np.zeros(len(rows))
        score = nearness - DIVERSITY * against
        score[chosen] = -np.inf
        chosen.append(int(score.argmax()))
    return tuple(texts[rows[at]] for at in chosen)


def _first_of_each(texts: Sequence[str], rows: Labels) -> Labels:
    """Leave out repeated texts; in the order of the texts, so that the order of the rows leaves no trace."""
    first = {texts[row]: row for row in rows[::-1].tolist()}
    return np.array([first[text] for text in sorted(first)], dtype=np.int64)
