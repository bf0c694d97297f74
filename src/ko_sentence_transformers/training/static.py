"""Static models: a table with one vector a piece of a tokenizer, begun with a teacher's vectors of the pieces.

A sentence is the mean of its pieces, so what an encoder finds out from context must lie in the table. Three things
are worth most before any training: directions in order of strength, no common direction, and little weight for
pieces that are everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from ..encoding import Encoder
from ..errors import ModelError
from .losses import taught_vectors

# A piece that is this share of all pieces has half its weight (smooth inverse frequency).
_HALF_WEIGHT = 1e-3
_BATCH = 4096


def make_static(base: Any, table: NDArray[np.float32], prompts: Mapping[str, str]) -> Any:
    """Return a static ``SentenceTransformer`` with the tokenizer of ``base``.

    :param table: ``(pieces, dim)``, see :func:`start_table`.
    :param prompts: its own; those of the base would be words among others to it.
    """
    st = require("sentence_transformers", extra="train")
    modules = require("sentence_transformers.sentence_transformer.modules", extra="train")
    static = modules.StaticEmbedding(plain_tokenizer(base), embedding_weights=table)
    return st.SentenceTransformer(modules=[static, modules.Normalize()], device="cpu", prompts=dict(prompts))


def start_table(
    base: Any, teacher: Encoder, texts: Sequence[str], dim: int, *, cache: Path | None = None
) -> NDArray[np.float32]:
    """Return the table that a static model begins with: ``(pieces of the base's tokenizer, dim)``.

    Its rows are the teacher's vectors of the pieces: centred, turned onto their ``dim`` strongest directions, the
    strongest first, and weighted by how rare the piece is in ``texts``.

    :param cache: a folder that keeps the teacher's vectors.
    :raises ModelError: if the teacher is narrower than ``dim``.
    """
    if dim > teacher.dim:
        raise ModelError(f"model.static_dim is {dim}; the teacher has {teacher.dim} dimensions, set it to that or less")
    tokenizer = plain_tokenizer(base)
    spoken = _spoken(tokenizer)
    different = list(dict.fromkeys(spoken))
    place = {text: row for row, text in enumerate(different)}
    vectors = taught_vectors(teacher, different, cache)[[place[text] for text in spoken]]
    table = _turned(vectors, dim) * _weights(_counts(tokenizer, texts))[:, None]
    return np.ascontiguousarray(table, dtype=np.float32)


def plain_tokenizer(base: Any) -> Any:
    """Return a copy of the tokenizer of ``base`` that cuts and pads nothing."""
    tokenizer = require("tokenizers", extra="train").Tokenizer.from_str(base.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _spoken(tokenizer: Any) -> list[str]:
    """Return each piece as a text, in the order of the ids: without the marks of word starts and insides."""
    pieces = [tokenizer.id_to_token(identity) for identity in range(tokenizer.get_vocab_size())]
    return [piece.removeprefix("##").replace("▁", " ").replace("Ġ", " ").strip() or piece for piece in pieces]


def _turned(vectors: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    centred = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    turned: NDArray[np.float32] = centred @ directions[:, ::-1][:, :dim].astype(np.float32)
    return turned


def _counts(tokenizer: Any, texts: Sequence[str]) -> NDArray[np.int64]:
    counts = np.zeros(tokenizer.get_vocab_size(), dtype=np.int64)
    for start in range(0, len(texts), _BATCH):
        encodings = tokenizer.encode_batch_fast(list(texts[start : start + _BATCH]), add_special_tokens=False)
        ids = np.concatenate([np.asarray(encoding.ids, dtype=np.int64) for encoding in encodings])
        counts += np.bincount(ids, minlength=len(counts))
    return counts


def _weights(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return a factor for each piece; those that never occur are taken as the rarest."""
    share = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    weights: NDArray[np.float32] = (_HALF_WEIGHT / (_HALF_WEIGHT + share)).astype(np.float32)
    return weights
