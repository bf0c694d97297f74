"""Search that is built once and kept: rows and words in SQLite, meaning exact or in cells, both together."""

from __future__ import annotations

from .checking import Problem, check
from .database import exists
from .hits import IndexHit, Why
from .info import IndexInfo
from .reranking import load_reranker
from .search_index import SearchIndex
from .searching import Mode
from .tuning import Trial, Tuning
from .writing import Changes

__all__ = [
    "Changes", "IndexHit", "IndexInfo", "Mode", "Problem", "SearchIndex", "Trial", "Tuning", "Why",
    "check", "exists", "load_reranker",
]  # fmt: skip
