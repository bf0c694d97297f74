"""Words: BM25 over index terms, by SQLite's full-text index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..morphemes import Analyser, NgramAnalyser, Term, load_analyser

# Above this many chunks, terms found in more than COMMON of them are left out: they cost time, not rank.
LARGE = 50_000
COMMON = 0.05
_REMEMBERED = 100_000
# A letter to the full-text index, but one that Korean has not used for centuries.
PAIR = "ㆎ"


class Candidates(NamedTuple):
    """Chunks with scores, best first: ``(n,)`` int64 and ``(n,)`` float32."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


class Paired:
    """Morphemes and, beside them, the character pairs of Korean words.

    An everyday question and the text that answers it often share no morpheme but a part of one; where an
    analysis goes wrong, pairs go on matching. Their BM25 adds up. A pair is told from a morpheme by its mark.
    """

    def __init__(self, morphemes: Analyser) -> None:
        self._morphemes = morphemes
        self.version = f"{morphemes.version} pairs"
        self.nouns, self.stems = morphemes.nouns, morphemes.stems

    def terms(self, texts: Iterable[str]) -> Iterator[list[Term]]:
        """Yield the morphemes, then the pairs, of each text."""
        texts = list(texts)
        pairs = NgramAnalyser().terms(texts)
        for own, more in zip(self._morphemes.terms(texts), pairs, strict=True):
            yield own + [Term(PAIR + form, *span) for form, *span in more if "가" <= form[0] <= "힣"]


def load(name: str | None, words: Sequence[str] = ()) -> Analyser:
    """Return the analyser of an index by name; by default the best that is installed."""
    found = load_analyser(name, words=words)
    return found if isinstance(found, NgramAnalyser) else Paired(found)


def is_pair(form: str) -> bool:
    """Tell a character pair that stands beside morphemes from a morpheme."""
    return form.startswith(PAIR)


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
