"""Korean words: what a text is about, without the particles and endings that stick to every noun and verb.

Two analysers of one shape. ``kiwi`` (extra ``search``) finds morphemes; ``ngram`` cuts words into character
pairs, needs nothing and serves where kiwipiepy is not installed. Each carries a ``version`` that changes when
its terms may change, so that an index can refuse to mix two of them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from ._extras import require
from .errors import InputError

ANALYSERS = ("kiwi", "ngram")
# Raised when the rules below change what is indexed.
RULES = 1
# Kiwi's time grows faster than the length where there is no space: longer texts are analysed in parts.
PART = 500

_NOUNS = {"NNG", "NNP", "NR", "XR", "SL", "SH", "SN"}
_NAMES = {"NNG", "NNP", "SL", "SH"}  # what a topic can be called by
_VERBS = {"VV", "VA"}
_GLUE = {"NNB", "XPN", "XSN"}  # part of a compound, nothing by themselves
# Verbs that carry grammar, not meaning: nearly every sentence has one.
_LIGHT = {"하", "되", "있", "이", "대하", "위하", "따르", "관하", "의하", "통하", "않", "아니", "같", "주"}
_WORD = re.compile(r"[가-힣]+|[a-z]+|\d+|[\u4e00-\u9fff\u3400-\u4dbf]+|[^\W\d_]+")
_PARTICLE = re.compile(
    r"(?<=[가-힣]{2})(?:에서는|에게서|으로써|으로서|이라는|에서|에게|까지|부터|으로|보다|처럼|이나|라는|마다|조차|한테"
    r"|은|는|이|가|을|를|의|에|와|과|도|만|로|나|께)$"
)


class Term(NamedTuple):
    """One thing to index: its form (lower case, letters and digits) and the characters it was found at."""

    form: str
    start: int
    end: int


class Analyser(Protocol):
    """What turns texts into index terms and nouns."""

    @property
    def version(self) -> str:
        """Changes whenever the same text may give other terms."""

    def terms(self, texts: Iterable[str]) -> Iterator[list[Term]]:
        """Yield the index terms of each text, in order of position; a compound gives itself and its parts."""

    def nouns(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield the nouns of each text in order, repeated as often as they occur."""

    def stems(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield nouns, and verbs and adjectives in dictionary form (``먹다``), of each text in order."""


def load_analyser(name: str | None = None, *, words: Sequence[str] = ()) -> Analyser:
    """Return an analyser; the same arguments give the same object.

    :param name: ``kiwi`` or ``ngram``; by default kiwi where it is installed.
    :param words: nouns that are to stay whole, such as names of products (a user dictionary; kiwi only).
    :raises MissingExtraError: for ``kiwi`` without kiwipiepy.
    :raises InputError: for another name, or for words with ``ngram``.
    """
    if name is None:
        name = "kiwi" if importlib.util.find_spec("kiwipiepy") else "ngram"
    if name not in ANALYSERS:
        raise InputError(f"analyser {name!r} is unknown; use one of {', '.join(ANALYSERS)}")
    if words and name == "ngram":
        raise InputError("the ngram analyser has no dictionary; use kiwi or leave the words out")
    return _load(name, tuple(sorted(set(words))))


@lru_cache(maxsize=4)
def _load(name: str, words: tuple[str, ...]) -> Analyser:
    return KiwiAnalyser(words) if name == "kiwi" else NgramAnalyser()


def analyser_version() -> str:
    """Return the version of the default analyser."""
    return load_analyser().version


def index_terms(text: str) -> list[str]:
    """Return the index terms of one text by the default analyser."""
    return [term.form for term in next(load_analyser().terms([text]))]


def nouns(texts: Iterable[str]) -> list[list[str]]:
    """Return the nouns of each text by the default analyser, for naming topics."""
    return list(load_analyser().nouns(texts))


def stems(texts: Iterable[str]) -> list[list[str]]:
    """Return the nouns and verb stems of each text by the default analyser."""
    return list(load_analyser().stems(texts))


class NgramAnalyser:
    """Character pairs of Korean words, whole words of other scripts; particles weigh little, not nothing."""

    version = f"ngram rules {RULES}"

    def terms(self, texts: Iterable[str]) -> Iterator[list[Term]]:
        """Yield the character pairs of Korean words and the other words whole."""
        for text in texts:
            yield list(self._terms(text.lower()))

    def nouns(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield words with a common particle cut off; verbs cannot be told from nouns here."""
        for text in texts:
            yield [_PARTICLE.sub("", word) for word in _WORD.findall(text.lower()) if len(word) > 1]

    def stems(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield the same as :meth:`nouns`."""
        return self.nouns(texts)

    def _terms(self, text: str) -> Iterator[Term]:
        for match in _WORD.finditer(text):
            word, start, end = match.group(), match.start(), match.end()
            if "가" <= word[0] <= "힣" and len(word) > 2:
                for at in range(len(word) - 1):
                    yield Term(word[at : at + 2], start + at, start + at + 2)
            else:
                yield Term(_form(word), start, end)


class KiwiAnalyser:
    """Morphemes by kiwipiepy: nouns, numbers, foreign words, verb stems; compounds whole and in parts."""

    def __init__(self, words: Sequence[str] = ()) -> None:
        kiwipiepy = require("kiwipiepy", extra="search")
        self._kiwi: Any = kiwipiepy.Kiwi(num_workers=_cores())
        for word in words:
            self._kiwi.add_user_word(word, "NNP")
        self._words = frozenset(words)
        dictionary = hashlib.sha256("\n".join(words).encode()).hexdigest()[:8] if words else "none"
        self.version = f"kiwi {kiwipiepy.__version__} rules {RULES} words {dictionary}"
        self._split = lru_cache(maxsize=1 << 16)(self._parts)

    def terms(self, texts: Iterable[str]) -> Iterator[list[Term]]:
        """Yield nouns, compounds with their parts, numbers, foreign words and verb stems."""
        for tokens in self._tokens(texts):
            yield list(self._terms(tokens))

    def nouns(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield common and proper nouns and foreign words."""
        for tokens in self._tokens(texts):
            yield [form for form, tag, _, _ in tokens if tag in _NAMES]

    def stems(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield nouns, and verbs and adjectives with the ending 다."""
        for tokens in self._tokens(texts):
            yield [
                form if tag in _NAMES else form + "다"
                for form, tag, _, _ in tokens
                if tag in _NAMES or (tag in _VERBS and form not in _LIGHT)
            ]

    def _tokens(self, texts: Iterable[str]) -> Iterator[list[_Token]]:
        """Yield ``(form, tag, start, end)`` of each text; long texts are analysed in parts."""
        drawn: deque[list[int]] = deque()  # offsets of the parts of each text, filled as kiwi draws them

        def draw() -> Iterator[str]:
            for text in texts:
                offsets = list(_cuts(text))
                drawn.append(offsets)
                yield from (text[a:b] for a, b in zip(offsets, [*offsets[1:], len(text)], strict=True))

        results = self._kiwi.tokenize(draw())
        for first in results:
            tokens: list[_Token] = []
            for number, offset in enumerate(drawn.popleft()):
                for token in first if number == 0 else next(results):
                    tag = str(token.tag).split("-")[0]
                    start = offset + token.start
                    tokens.append((token.form.lower(), tag, start, start + token.len))
            yield tokens

    def _terms(self, tokens: list[_Token]) -> Iterator[Term]:
        run: list[_Token] = []
        for token in tokens:
            _, tag, start, _ = token
            if run and (start != run[-1][3] or tag not in _NOUNS | _GLUE):
                yield from self._compound(run)
                run = []
            if tag in _NOUNS | _GLUE:
                run.append(token)
            else:
                yield from self._single(token)
        yield from self._compound(run)

    def _single(self, token: _Token) -> Iterator[Term]:
        form, tag, start, end = token
        if tag in _VERBS and form not in _LIGHT:
            yield Term(_form(form), start, end)
        elif tag.startswith("W_"):
            for match in _WORD.finditer(form):
                yield Term(_form(match.group()), start + match.start(), start + match.end())

    def _compound(self, run: list[_Token]) -> Iterator[Term]:
        """Yield the parts of nouns written together, then the whole."""
        for form, tag, start, end in run:
            if tag in _NOUNS and (clean := _form(form)):
                yield Term(clean, start, end)
                if len(form) > 3 and tag in ("NNG", "NNP") and form not in self._words:
                    for part, at, length in self._split(form):
                        yield Term(part, start + at, start + at + length)
        if len(run) > 1 and (whole := _form("".join(part[0] for part in run))):
            yield Term(whole, run[0][2], run[-1][3])

    def _parts(self, form: str) -> tuple[tuple[str, int, int], ...]:
        """Return the shorter nouns in a long one that the dictionary holds whole (국민건강보험공단)."""
        tokens = self._kiwi.tokenize(form, blocklist=[form])
        return tuple(
            (token.form, token.start, token.len)
            for token in tokens
            if str(token.tag) in _NAMES and token.form != form and token.len > 1
        )


_Token = tuple[str, str, int, int]


def _form(form: str) -> str:
    """Keep letters and digits: every term is then one word to the full-text index as well."""
    return "".join(character for character in form if character.isalnum())


def _cuts(text: str) -> Iterator[int]:
    """Yield where the parts of ``text`` start: at a space if there is one in reach."""
    start = 0
    yield start
    while len(text) - start > PART:
        space = max(text.rfind(" ", start + 1, start + PART), text.rfind("\n", start + 1, start + PART))
        start = space if space > 0 else start + PART
        yield start


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
