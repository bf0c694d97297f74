"""An encoder without a model: hashed character pairs, so that texts with common words are near each other."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from ko_sentence_transformers.encoding import Embeddings, TokenIds


class FakeEncoder:
    """Fits the Encoder protocol; counts what it embeds, so that tests can say "was not encoded again"."""

    unknown_id = None
    parallelism = 1

    def __init__(self, dim: int = 64, name: str = "fake", salt: int = 0, max_seq_length: int = 256) -> None:
        self.name = name
        self.dim = dim
        self.max_seq_length = max_seq_length
        self.prompts: Mapping[str, str] = {}
        self.embedded = 0
        self._salt = salt

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return one token for each pair of neighbouring characters."""
        return [
            np.array([zlib.crc32(f"{self._salt}{a}{b}".encode()) for a, b in zip(f"^{text}", f"{text}$", strict=True)])
            for text in texts
        ]

    def window(self, ids: TokenIds) -> list[TokenIds]:
        """Cut ids into parts."""
        return [ids[i : i + self.max_seq_length] for i in range(0, len(ids), self.max_seq_length)]

    def embed(self, batch: Sequence[TokenIds], *, batch_tokens: int = 4096) -> Embeddings:
        """Return the normalised sum of one fixed random vector for each token."""
        if not batch:
            return np.empty((0, self.dim), np.float32)
        self.embedded += len(batch)
        out = np.stack([sum(_vector(int(token), self.dim) for token in ids) for ids in batch])
        return (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32)

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Return unit vectors."""
        from ko_sentence_transformers.encoding import encode

        return encode(self, texts)


_CACHE: dict[tuple[int, int], np.ndarray] = {}


def _vector(token: int, dim: int) -> np.ndarray:
    key = (token, dim)
    if key not in _CACHE:
        _CACHE[key] = np.random.default_rng(token).standard_normal(dim)
    return _CACHE[key]
