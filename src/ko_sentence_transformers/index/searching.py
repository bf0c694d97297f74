"""One search: candidates by meaning and by words, filtered, fused, one hit for each document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from . import lexical
from .bm25 import Lexicon
from .filters import Filter
from .fusion import POOL, fuse
from .hits import IndexHit, Why, make_hit
from .lexical import Candidates
from .selection import Selections, tested
from .store import Store
from .vectors import Vectors

Mode = Literal["hybrid", "dense", "lexical"]
MODES = ("hybrid", "dense", "lexical")
# A filter that leaves at most this many chunks is searched among those; above, candidates are tested first.
SELECTED = 20_000
_WORD_POOL = 1000
_SHALLOW = 40
_DEEPER, _DEEP = 4, 1000
_NOWHERE: tuple[float | None, int | None] = (None, None)
_Places = dict[int, tuple[float | None, int | None]]


@dataclass(frozen=True)
class Request:
    """What is looked for: index terms (none for dense), a unit embedding ``(dim,)`` (none for lexical), a filter."""

    terms: Sequence[str]
    embedding: NDArray[np.float32] | None
    k: int
    mode: Mode
    where: Filter | None = None


@dataclass(frozen=True)
class Memory:
    """What searches of one index remember for those after them."""

    lexicon: Lexicon = field(default_factory=Lexicon)
    selections: Selections = field(default_factory=Selections)


class Search:
    """A request against one state of the index, inside a reading transaction."""

    def __init__(self, store: Store, vectors: Vectors, memory: Memory, request: Request) -> None:
        self._store = store
        self._vectors = vectors
        self._memory = memory
        self._request = request
        self._total = int(store.meta("chunks"))
        self._selected: NDArray[np.int64] | None = None
        if request.where is not None:
            self._selected = memory.selections.passing(store, request.where, SELECTED)
        memory.lexicon.refresh(store.meta("generation"), store.meta("deletions"))
        counts = memory.lexicon.known(store.connection, request.terms)
        self._terms = lexical.telling(counts, self._total)
        # What the query is made of: also words that occur nowhere; pairs of characters only where there is no word.
        asked = [form for form in request.terms if form not in counts] + self._terms
        self._words = [form for form in asked if not lexical.is_pair(form)] or asked

    def hits(self) -> list[IndexHit]:
        """Return up to k hits; looks deeper as long as deleted, filtered or repeated documents leave too few."""
        k, where = self._request.k, self._request.where
        # The standard scores of a hybrid are those of a pool; one list alone needs little more than k.
        depth = max(POOL if self._request.mode == "hybrid" else _SHALLOW, 4 * k)
        while reach := self._total if self._selected is None else len(self._selected):
            hits, more = self._hits(depth)
            if len(hits) >= k or depth >= reach or not more:
                return hits
            depth *= _DEEPER
            if where is not None and self._selected is None and depth > max(_DEEP, 16 * k):
                # Many rows pass, but hardly one near the query: look at all that do.
                self._selected = self._memory.selections.passing(self._store, where)
        return []

    def _hits(self, depth: int) -> tuple[list[IndexHit], bool]:
        """Return the best hits among candidates of this depth, and whether there may be more further down."""
        mode = self._request.mode
        more = True
        cosines = self._dense(depth) if mode != "lexical" else None
        bm25 = self._lexical(max(depth, _WORD_POOL) if mode == "hybrid" else depth) if mode != "dense" else None
        if cosines is None or bm25 is None:
            order = bm25 if cosines is None else cosines
            assert order is not None  # one of the two is there in every mode
            tested_some = self._request.where is not None and self._selected is None
            more = tested_some or len(order.ids) >= depth
        else:
            others = np.setdiff1d(bm25.ids[:depth], cosines.ids)
            rest = self._vectors.scores(self._embedding(), others)
            joined = Candidates(np.concatenate([cosines.ids, rest.ids]), np.concatenate([cosines.scores, rest.scores]))
            total = self._total if self._selected is None else len(self._selected)
            coverage = self._memory.lexicon.coverage(self._store.connection, self._words, among=self._selected)
            order = fuse(joined, bm25, coverage=coverage, total=total)
            cosines = joined
        return self._documents(order, _places(cosines, depth), _places(bm25, len(bm25.ids) if bm25 else 0)), more

    def _documents(
        self, order: Candidates, cosines: _Places,
        bm25: _Places,
    ) -> list[IndexHit]:  # fmt: skip
        """Return the best chunk of each document, until there are k."""
        found: dict[str, IndexHit] = {}
        wanted = {form for form in self._terms if not lexical.is_pair(form)}
        step = 2 * self._request.k
        for start in range(0, len(order.ids), step):
            ids = order.ids[start : start + step].tolist()
            rows = self._store.rows(ids)
            for chunk, score in zip(ids, order.scores[start : start + step].tolist(), strict=True):
                row = rows.get(chunk)
                if row is None or row.id in found:
                    continue
                words = tuple(sorted(wanted.intersection(row.terms.split())))
                cosine, bm25_score = cosines.get(chunk, _NOWHERE), bm25.get(chunk, _NOWHERE)
                why = Why(cosine[0], cosine[1], bm25_score[0], bm25_score[1], words)
                found[row.id] = make_hit(row, score, why)
                if len(found) == self._request.k:
                    return list(found.values())
        return list(found.values())

    def _dense(self, depth: int) -> Candidates:
        query, where = self._embedding(), self._request.where
        if self._selected is not None:
            return self._vectors.among(query, self._selected, depth)
        if where is None:
            return self._vectors.nearest(query, depth)
        # Those that pass are spread over more cells than the nearest of all.
        found = self._vectors.nearest(query, depth, wider=max(1, depth // _SHALLOW))
        passed = tested(self._store, where, found.ids)
        return Candidates(found.ids[passed], found.scores[passed])

    def _lexical(self, limit: int) -> Candidates:
        where = self._request.where
        wide = where is not None and self._selected is None
        found = self._memory.lexicon.search(
            self._store.connection, self._terms, limit=_DEEPER * limit if wide else limit, among=self._selected
        )
        if where is None or not wide:
            return found
        passed = tested(self._store, where, found.ids)
        return Candidates(found.ids[passed][:limit], found.scores[passed][:limit])

    def _embedding(self) -> NDArray[np.float32]:
        assert self._request.embedding is not None  # checked when the request was made
        return self._request.embedding


def _places(found: Candidates | None, ranked: int) -> _Places:
    """Return ``{chunk: (score, rank from 1)}``; no rank beyond the ``ranked`` first, which were not searched for."""
    if found is None:
        return {}
    pairs = enumerate(zip(found.ids.tolist(), found.scores.tolist(), strict=True), start=1)
    return {chunk: (score, rank if rank <= ranked else None) for rank, (chunk, score) in pairs}
