"""The hierarchy: topics that are near each other, under one broader name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._extras import require
from ..encoding import Embeddings
from ..grouping import Labels
from .describe import Topic
from .words import TermCounts, topic_name


@dataclass(frozen=True)
class Branch:
    """A broader topic and the topics under it."""

    name: str
    size: int
    topics: tuple[Topic, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the branch for JSON, its topics as number, name and size."""
        under = [{"topic": topic.topic, "name": topic.name, "size": topic.size} for topic in self.topics]
        return {"name": self.name, "size": self.size, "topics": under}


def hierarchy(topics: Sequence[Topic], centres: Embeddings, terms: TermCounts) -> list[Branch]:
    """Return broader topics, largest first: about the square root of the number of topics.

    :param centres: ``(len(topics), dim)``.
    :param terms: with one row a topic, from which the broader names come.
    """
    groups = _groups(centres)
    merged = terms.merged(groups.tolist())
    sizes = [sum(t.size for t, g in zip(topics, groups, strict=True) if g == group) for group in range(merged.topics)]
    branches = []
    for group, words in enumerate(merged.words(sizes)):
        under = tuple(topic for topic, own in zip(topics, groups, strict=True) if own == group)
        name = under[0].name if len(under) == 1 else topic_name(words, f"topics {group}")
        branches.append(Branch(name, sizes[group], under))
    return sorted(branches, key=lambda branch: (-branch.size, branch.topics[0].topic))


def _groups(centres: Embeddings) -> Labels:
    count = len(centres)
    if count < 4:
        return np.arange(count)
    linkage = require("scipy.cluster.hierarchy", extra="topics")
    # Centres share a large common part; without it the cosines between them tell more.
    tree = linkage.linkage(centres - centres.mean(axis=0), "ward")
    cut = linkage.fcluster(tree, max(2, round(count**0.5)), "maxclust")
    return np.unique(cut, return_inverse=True)[1].astype(np.int64)
