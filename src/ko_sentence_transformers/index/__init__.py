"""Search that is built once and kept: rows and words in SQLite, meaning exact or in cells, both together."""

from __future__ import annotations

from .database import exists
from .hits import IndexHit, Why
from .info import IndexInfo
from .search_index import SearchIndex
from .searching import Mode
from .tuning import Trial, Tuning
from .writing import Changes

__all__ = ["Changes", "IndexHit", "IndexInfo", "Mode", "SearchIndex", "Trial", "Tuning", "Why", "exists"]
