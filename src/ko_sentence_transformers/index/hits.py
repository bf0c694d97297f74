"""What a search returns: hits, and why each was found."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .store import Row


@dataclass(frozen=True, slots=True)
class Why:
    """What put a hit where it is.

    :ivar cosine: of the query and the chunk; ``None`` in a search by words.
    :ivar cosine_rank: place by cosine among all chunks, from 1; ``None`` if beyond the candidates.
    :ivar bm25: of the query's terms in the chunk; ``None`` in a search by meaning.
    :ivar bm25_rank: place by BM25, from 1; ``None`` if beyond the candidates or without a common term.
    :ivar words: terms of the query that the chunk holds.
    """

    cosine: float | None = None
    cosine_rank: int | None = None
    bm25: float | None = None
    bm25_rank: int | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexHit:
    """One document found, by its best chunk ``text[start:stop]``.

    :ivar score: the cosine, BM25, fused or reranker's score that orders the hits; higher is better.
    :ivar text: of the chunk (of the whole document where the index has no chunks).
    :ivar marked: ``text`` with the words of the query between ``**``.
    """

    id: str
    score: float
    text: str
    metadata: dict[str, Any]
    chunk: int
    start: int
    stop: int
    marked: str
    why: Why

    def as_dict(self) -> dict[str, Any]:
        """Return the hit as JSON types."""
        return asdict(self)


def make_hit(row: Row, score: float, why: Why) -> IndexHit:
    """Build a hit from a stored row."""
    text = row.text[row.start : row.stop]
    return IndexHit(
        row.id, score, text, json.loads(row.metadata), row.number, row.start, row.stop,
        mark(text, why.words), why,
    )  # fmt: skip


def mark(text: str, words: Sequence[str]) -> str:
    """Put ``**`` around the words of a text; a verb is found by as much of its stem as the text writes."""
    forms = {form for word in words if (form := _written(text.lower(), word))}
    if not forms or len(text.lower()) != len(text):
        return text
    spans = sorted(match.span() for form in forms for match in re.finditer(re.escape(form), text.lower()))
    merged: list[tuple[int, int]] = []
    for start, stop in spans:
        if merged and start < merged[-1][1]:  # character pairs overlap
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    parts, at = [], 0
    for start, stop in merged:
        parts += [text[at:start], "**", text[start:stop], "**"]
        at = stop
    return "".join([*parts, text[at:]])


def _written(text: str, word: str) -> str:
    """Return the longest beginning of ``word`` that the text has: a contracted stem loses its last syllable."""
    if word in text:
        return word
    return word[:-1] if len(word) > 2 and word[:-1] in text else ""
