"""Search that is built once and kept: rows and words in SQLite, meaning exact or in cells, both together."""

from __future__ import annotations

from .database import exists
from .hits import IndexHit, Why
from .search_index import IndexInfo, SearchIndex
from .writing import Changes

__all__ = ["Changes", "IndexHit", "IndexInfo", "SearchIndex", "Why", "exists"]
