"""Topics: clusters with names, representative texts, a hierarchy, a map and a folder that keeps them."""

from __future__ import annotations

from .build import Texts, embed, make_topics, place_on_map
from .describe import Topic, describe
from .folder import TopicFolder
from .naming import name_topics
from .timeline import parse_date, timeline
from .tree import Branch, hierarchy
from .words import TermCounts, count_terms

__all__ = [
    "Branch",
    "TermCounts",
    "Texts",
    "Topic",
    "TopicFolder",
    "count_terms",
    "describe",
    "embed",
    "hierarchy",
    "make_topics",
    "name_topics",
    "parse_date",
    "place_on_map",
    "timeline",
]
