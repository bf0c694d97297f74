"""Texts to embeddings: tokenize a window of texts, let the model embed it, put everything back in order.

Always ``(n, dim)`` float32, rows of unit length in the order of the texts. A blank text has no meaning to embed:
its row is zeros (cosine 0 to everything), and it is reported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, NonFiniteError, TruncationError
from .text import normalize

logger = logging.getLogger(__name__)

Embeddings = NDArray[np.float32]
TokenIds = NDArray[np.int64]
OnTruncation = Literal["warn", "error", "chunk"]

# Texts tokenized and batched together: enough for full batches, few enough to hold.
WINDOW = 8192
WINDOW_CHARACTERS = 400_000
BATCH_TOKENS = 2048  # a tenth quicker than 512, for 45 MB more with the small model
_FEW = 64  # texts that are tokenized sooner than a thread starts
# A share of unknown tokens above this means that the tokenizer does not fit the text (or the model).
UNKNOWN_SHARE = 0.2


@runtime_checkable
class Encoder(Protocol):
    """What turns texts into embeddings; every function here takes any object of this shape."""

    @property
    def name(self) -> str:
        """Name or path the model was loaded by."""

    @property
    def dim(self) -> int:
        """Width of the embeddings."""

    @property
    def max_seq_length(self) -> int:
        """Longest input in tokens, the special ones included."""

    @property
    def prompts(self) -> Mapping[str, str]:
        """What to put before a text: the keys are ``query`` and ``document``."""

    @property
    def unknown_id(self) -> int | None:
        """Id of the unknown token, if the tokenizer has one."""

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the token ids of each text with the special ones, not cut to ``max_seq_length``."""

    def window(self, ids: TokenIds) -> list[TokenIds]:
        """Split ids into parts of at most ``max_seq_length``, each with its special tokens."""

    def embed(self, parts: Sequence[TokenIds], *, batch_tokens: int) -> Embeddings:
        """Return ``(len(parts), dim)`` vectors; no part may be longer than ``max_seq_length``."""

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Return ``(len(texts), dim)`` unit vectors; see :func:`encode` for the options."""


@dataclass
class TextReport:
    """What an encoding run saw, counted; :meth:`lines` says what a user should know."""

    max_seq_length: int
    on_truncation: OnTruncation = "warn"
    texts: int = 0
    tokens: int = 0
    unknown: int = 0
    truncated: int = 0
    longest: int = 0
    blank: list[int] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return one line for each thing worth saying; none where all is well."""
        out = []
        if self.blank:
            first = ", ".join(map(str, self.blank[:5])) + (", ..." if len(self.blank) > 5 else "")
            out.append(f"{len(self.blank)} of {self.texts} texts are blank (positions {first}): zero vectors")
        if self.truncated and self.on_truncation == "warn":
            out.append(
                f"{self.truncated} of {self.texts} texts are longer than {self.max_seq_length} tokens "
                f"(longest {self.longest}) and were cut; on_truncation='chunk' reads them whole"
            )
        if self.tokens and self.unknown / self.tokens > UNKNOWN_SHARE:
            out.append(
                f"{self.unknown} of {self.tokens} tokens ({self.unknown / self.tokens:.0%}) are unknown to the "
                "tokenizer: wrong language, or a tokenizer that does not fit the model"
            )
        return out


def encode(
    model: Encoder,
    texts: Sequence[str],
    *,
    prompt_name: str | None = None,
    truncate_dim: int | None = None,
    on_truncation: OnTruncation = "warn",
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> Embeddings:
    """Return the embeddings of ``texts``: ``(len(texts), dim)`` float32, unit length, in order.

    :param prompt_name: ``query`` or ``document`` puts that prompt of the model before each text.
    :param truncate_dim: keep this many leading dimensions (Matryoshka), made unit length again.
    :param on_truncation: what to do with texts longer than the model reads: ``warn`` once with numbers and
        cut, raise an ``error``, or ``chunk`` (windows embedded and averaged by their token counts).
    :param batch_tokens: tokens of one batch, padding included; bounds the memory.
    :param progress: called with the number of texts done since the last call.
    :raises InputError: for a text that is no string (its position is named) or an option that does not fit.
    :raises TruncationError: with ``on_truncation="error"``.
    :raises NonFiniteError: if the model returns NaN or infinity.
    """
    if isinstance(texts, str):
        raise InputError("texts is one string; pass a list of strings")
    report = TextReport(model.max_seq_length, on_truncation)
    out = np.zeros((len(texts), _dim(model, truncate_dim)), dtype=np.float32)
    done = 0
    for part in encode_stream(
        model, texts, report, prompt_name=prompt_name, truncate_dim=truncate_dim, batch_tokens=batch_tokens
    ):
        out[done : done + len(part)] = part
        done += len(part)
        if progress:
            progress(len(part))
    for line in report.lines():
        logger.warning(line)
    return out


def encode_stream(
    model: Encoder,
    texts: Iterable[str],
    report: TextReport,
    *,
    prompt_name: str | None = None,
    truncate_dim: int | None = None,
    batch_tokens: int = BATCH_TOKENS,
) -> Iterator[Embeddings]:
    """Yield the embeddings of a stream of texts, up to :data:`WINDOW` rows at a time, in order.

    Memory is bounded by the window (:data:`WINDOW_CHARACTERS` too), not by the stream. ``report`` is filled on the
    way and carries the choice of ``on_truncation``. Options and errors are those of :func:`encode`.
    """
    prompt = _prompt(model, prompt_name)
    dim = _dim(model, truncate_dim)
    if batch_tokens < 1:
        raise InputError(f"batch_tokens is {batch_tokens}; it must be at least 1")
    source = iter(texts)
    if isinstance(texts, Sequence) and len(texts) <= _FEW:
        while (window := _tokenize(model, _take(source), prompt, report)).size:
            yield _finish(model.embed(window.parts, batch_tokens=batch_tokens), window, dim)
        return
    # The next window is tokenized while this one is in the engine: that is a tenth of a small model's time.
    with ThreadPoolExecutor(1, "ko-st-tokenize") as tokenizer:

        def prepare() -> Future[_Window]:
            return tokenizer.submit(_tokenize, model, _take(source), prompt, report)

        upcoming = prepare()
        while (window := upcoming.result()).size:
            upcoming = prepare()
            yield _finish(model.embed(window.parts, batch_tokens=batch_tokens), window, dim)


@dataclass(frozen=True)
class _Window:
    """Tokenized texts: ``parts`` go through the model, ``owner`` says whose text each is."""

    size: int
    parts: list[TokenIds]
    owner: NDArray[np.int64]


def _take(source: Iterator[str]) -> list[str]:
    """Return the texts of the next window: so many, or so many characters."""
    texts: list[str] = []
    characters = 0
    for text in source:
        texts.append(text)
        characters += len(text) if isinstance(text, str) else 0
        if len(texts) >= WINDOW or characters >= WINDOW_CHARACTERS:
            break
    return texts


def _tokenize(model: Encoder, texts: list[str], prompt: str, report: TextReport) -> _Window:
    offset = report.texts
    report.texts += len(texts)
    kept, clean = [], []
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {offset + position} is {type(text).__name__}, not a string")
        try:
            text = normalize(text)
        except InputError as error:
            raise InputError(f"text {offset + position}: {error}") from None
        if text:
            kept.append(position)
            clean.append(prompt + text)
        else:
            report.blank.append(offset + position)
    # Counted for the whole window at once: for a model without a network this loop would be half of the time.
    parts = list(model.tokenize(clean))
    owner = np.asarray(kept, dtype=np.int64)
    lengths = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    report.tokens += int(lengths.sum())
    if model.unknown_id is not None and parts:
        report.unknown += int(np.count_nonzero(np.concatenate(parts) == model.unknown_id))
    if parts and lengths.max() > model.max_seq_length:
        read = _cut(model, parts, lengths, owner + offset, report)
        parts = [window for windows in read for window in windows]
        owner = np.repeat(owner, [len(windows) for windows in read])
    return _Window(len(texts), parts, owner)


def _cut(
    model: Encoder, parts: list[TokenIds], lengths: NDArray[np.int64], places: NDArray[np.int64], report: TextReport
) -> list[list[TokenIds]]:
    """Return the windows of each text that are read; ``places`` are the texts' positions among all."""
    long = np.flatnonzero(lengths > model.max_seq_length)
    report.truncated += len(long)
    report.longest = max(report.longest, int(lengths.max()))
    if report.on_truncation == "error":
        raise TruncationError(
            f"text {places[long[0]]} has {lengths[long[0]]} tokens, the model reads {model.max_seq_length}; "
            "shorten it or use on_truncation='chunk'"
        )
    out = [[ids] for ids in parts]
    for text in long:
        out[text] = model.window(parts[text])[: 1 if report.on_truncation == "warn" else None]
    return out


def _finish(vectors: Embeddings, window: _Window, dim: int) -> Embeddings:
    """Average the windows of each text by their token counts, cut to ``dim``, make unit length."""
    if not np.isfinite(vectors).all():
        raise NonFiniteError("the model returned NaN or infinity; its weights or the engine are broken")
    out = np.zeros((window.size, dim), dtype=np.float32)
    if len(window.parts) == len(np.unique(window.owner)):
        out[window.owner] = vectors[:, :dim]
    else:
        weights = np.fromiter((len(ids) for ids in window.parts), dtype=np.float32, count=len(window.parts))
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        np.add.at(out, window.owner, (unit * weights[:, None])[:, :dim])
    norms = np.linalg.norm(out, axis=1, keepdims=True)
    np.divide(out, norms, out=out, where=norms > 0)
    return out


def _prompt(model: Encoder, prompt_name: str | None) -> str:
    if prompt_name is None:
        return ""
    if prompt_name not in model.prompts:
        known = ", ".join(model.prompts) or "none"
        raise InputError(f"prompt_name {prompt_name!r} is unknown; the model has: {known}")
    return model.prompts[prompt_name]


def _dim(model: Encoder, truncate_dim: int | None) -> int:
    if truncate_dim is None:
        return model.dim
    if not 1 <= truncate_dim <= model.dim:
        raise InputError(f"truncate_dim is {truncate_dim}; the model has 1 to {model.dim} dimensions")
    return truncate_dim


def similarity(a: Embeddings, b: Embeddings) -> Embeddings:
    """Return the cosine of every row of ``a`` with every row of ``b``: ``(len(a), len(b))`` float32.

    :raises InputError: if the widths differ or a value is not finite.
    """
    a, b = np.atleast_2d(a), np.atleast_2d(b)
    if a.shape[1] != b.shape[1]:
        raise InputError(f"embeddings have {a.shape[1]} and {b.shape[1]} dimensions; encode both with one model")
    for matrix in (a, b):
        if not np.isfinite(matrix).all():
            raise NonFiniteError("embeddings hold NaN or infinity")
    return np.asarray(_unit(a) @ _unit(b).T, dtype=np.float32)


def _unit(matrix: Embeddings) -> Embeddings:
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    out: Embeddings = np.zeros_like(matrix)
    np.divide(matrix, norms, out=out, where=norms > 0)
    return out
