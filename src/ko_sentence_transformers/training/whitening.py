"""A second half for an encoder's vectors: the pooled vector again, its directions evened out a little."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require

# How far the directions are evened out: 0 leaves them, 1/2 makes them equally strong. Chosen on KorSTS dev, where more
# costs similarity and search; learning the half instead (CoSENT, contrastive) cost both.
EXPONENT = 0.1
_TEXTS = 20_000


def add_whitened_half(model: Any, texts: Sequence[str], *, seed: int) -> None:
    """Put a Dense layer behind the pooling of a ``SentenceTransformer`` that doubles its outputs.

    The first half is the pooled vector itself, so that it stands alone. The second is the same vector, turned so that
    its common directions count for less (partial whitening, without centring); both halves are of equal length on
    average.

    :param texts: on which the strength of the directions is measured, 20,000 of them at most.
    """
    st = require("sentence_transformers", extra="train")
    torch = require("torch", extra="train")
    modules = require("sentence_transformers.sentence_transformer.modules", extra="train")
    drawn = random.Random(seed).sample(list(texts), min(_TEXTS, len(texts)))
    place = 1 + next(number for number, module in enumerate(model) if isinstance(module, modules.Pooling))
    pooled = st.SentenceTransformer(modules=list(model)[:place], device=str(model.device))
    vectors = pooled.encode(drawn, batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    width = vectors.shape[1]
    dense = modules.Dense(width, 2 * width, bias=False, activation_function=torch.nn.Identity())
    weight = np.concatenate([np.eye(width, dtype=np.float32), whitening(vectors)])
    with torch.no_grad():
        dense.linear.weight.copy_(torch.from_numpy(weight))
    model.insert(place, dense.to(model.device))


def whitening(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the ``(dim, dim)`` matrix that evens out the directions of ``(n, dim)`` vectors and keeps their length.

    Source: Su et al. 2021, Whitening Sentence Representations; here to the power of :data:`EXPONENT`.
    """
    strength, directions = np.linalg.eigh((vectors.T @ vectors).astype(np.float64) / len(vectors))
    strength = np.maximum(strength, 1e-6 * strength.max())
    matrix = (directions * strength**-EXPONENT) @ directions.T
    length = np.sqrt(np.square(vectors @ matrix).sum(axis=1).mean() / np.square(vectors).sum(axis=1).mean())
    return np.asarray(matrix / length, np.float32)
