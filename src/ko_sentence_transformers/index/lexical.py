"""Words: BM25 over index terms, by SQLite's full-text index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..morphemes import Analyser, Term

# Above this many chunks, terms found in more than COMMON of them are left out: they cost time, not rank.
LARGE = 50_000
COMMON = 0.05
_REMEMBERED = 100_000


class Candidates(NamedTuple):
    """Chunks with scores, best first: ``(n,)`` int64 and ``(n,)`` float32."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


def joined(terms: Sequence[Term]) -> str:
    """Return terms as the full-text index holds them."""
    return " ".join(term.form for term in terms)


class Lexicon:
    """How many chunks hold a term, remembered: counting a common one reads all its places."""

    def __init__(self) -> None:
        self._generation = -1
        self._counts: dict[str, int] = {}

    def known(self, connection: sqlite3.Connection, forms: Iterable[str], generation: int) -> dict[str, int]:
        """Return ``{term: chunks}`` of those terms that occur, each once; one state of the rows at a time."""
        if generation != self._generation or len(self._counts) > _REMEMBERED:
            self._generation, self._counts = generation, {}
        for form in forms:
            if form not in self._counts:
                row = connection.execute("SELECT doc FROM word_rows WHERE term = ?", (form,)).fetchone()
                self._counts[form] = int(row[0]) if row else 0
        return {form: self._counts[form] for form in forms if self._counts[form]}


def telling(counts: dict[str, int], total: int) -> list[str]:
    """Return the terms that tell chunks apart: among many chunks, not those that a twentieth of them hold."""
    rare = [form for form, count in counts.items() if count <= COMMON * total]
    return rare if total > LARGE and rare else list(counts)


def forms(analyser: Analyser, query: str) -> list[str]:
    """Return the terms of a query, each once."""
    return list(dict.fromkeys(term.form for term in next(iter(analyser.terms([query])))))


def search(
    connection: sqlite3.Connection,
    terms: Sequence[str],
    *,
    limit: int,
    condition: str = "1",
    parameters: Sequence[object] = (),
) -> Candidates:
    """Return the chunks with the highest BM25 for any of ``terms``.

    :param condition: SQL over the ``rowid`` that chunks must pass, with its ``parameters``.
    """
    if not terms:
        return Candidates(np.empty(0, np.int64), np.empty(0, np.float32))
    match = " OR ".join(f'"{term}"' for term in terms)  # terms are letters and digits only
    # The plus sign keeps SQLite from looking up each row of the condition in the full-text index.
    sql = f"SELECT rowid, -rank FROM words WHERE words MATCH ? AND +{condition} ORDER BY rank LIMIT ?"
    rows = connection.execute(sql, (match, *parameters, limit)).fetchall()
    ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
    return Candidates(ids, np.fromiter((row[1] for row in rows), np.float32, len(rows)))
