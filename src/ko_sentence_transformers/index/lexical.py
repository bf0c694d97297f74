"""Words: the index terms of texts and queries, and which of them tell texts apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..morphemes import Analyser, NgramAnalyser, Term, load_analyser

# Above this many chunks, terms found in more than COMMON of them are left out: they cost time, not rank.
LARGE = 50_000
COMMON = 0.05
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


def telling(counts: dict[str, int], total: int) -> list[str]:
    """Return the terms that tell chunks apart: among many chunks, not those that a twentieth of them hold."""
    rare = [form for form, count in counts.items() if count <= COMMON * total]
    return rare if total > LARGE and rare else list(counts)


def forms(analyser: Analyser, query: str) -> list[str]:
    """Return the terms of a query, each once."""
    return list(dict.fromkeys(term.form for term in next(iter(analyser.terms([query])))))
