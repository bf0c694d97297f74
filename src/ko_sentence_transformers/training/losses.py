"""Losses by name, on sentence-transformers' own, and the teacher's vectors for distillation."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from .._files import atomic_file
from ..encoding import Encoder, encode
from ..errors import ModelError
from ..recipe import Teacher, Train

logger = logging.getLogger(__name__)

# Texts that a teacher encodes at a time: some minutes on two cores.
_PART = 65536


def make_loss(name: str, model: Any, train: Train, *, metric: str = "cosine", gather: bool = False) -> Any:
    """Return the loss module ``name`` for ``model``, wrapped in a Matryoshka loss where dimensions are named.

    :param metric: of distillation, ``cosine`` or ``mse``.
    :param gather: whether negatives come from all processes.
    :raises ModelError: if a Matryoshka dimension is larger than the model's.
    """
    losses = require("sentence_transformers.sentence_transformer.losses", extra="train")
    if name == "mnrl":
        loss = losses.MultipleNegativesRankingLoss(model, scale=train.scale, gather_across_devices=gather)
    elif name in ("cosent", "ranks"):  # of people's scores, or of the teacher's cosines
        loss = losses.CoSENTLoss(model, scale=train.scale)
    elif name == "angle":
        loss = losses.AnglELoss(model, scale=train.scale)
    elif name == "cosine":
        loss = losses.CosineSimilarityLoss(model)
    elif name == "relations":
        from .relations import RelationsLoss

        loss = RelationsLoss(model)
    else:
        loss = losses.EmbedDistillLoss(model, distance_metric=metric)
    if not train.matryoshka_dims:
        return loss
    width = model.get_embedding_dimension()
    if max(train.matryoshka_dims) > width:
        fitting = [dim for dim in train.matryoshka_dims if dim <= width]
        raise ModelError(
            f"train.matryoshka_dims goes to {max(train.matryoshka_dims)}, the model has {width} dimensions; "
            f"set train.matryoshka_dims={sorted({width, *fitting}, reverse=True)}"
        )
    return losses.MatryoshkaLoss(model, loss, list(train.matryoshka_dims))


def teacher_vectors(
    teacher: Encoder,
    columns: Sequence[Sequence[str]],
    width: int,
    *,
    prompt: str = "",
    cache: Path | None = None,
) -> NDArray[np.float32]:
    """Return what a student of ``width`` dimensions is to learn: ``(n, columns, width)`` unit vectors.

    A wider teacher is turned onto its ``width`` strongest directions (without centring), which keeps its
    cosines as well as that many dimensions can; the student needs no extra layer for it.

    :param prompt: put before each text, for the teacher only.
    :param cache: a folder that keeps the teacher's vectors, for a run that is taken up and for the next stage.
    :raises ModelError: if the teacher is narrower than the student.
    """
    if teacher.dim < width:
        raise ModelError(f"the teacher has {teacher.dim} dimensions, the student {width}; take a wider teacher")
    # Each different text once: triplets repeat theirs.
    texts = list(dict.fromkeys(text for column in columns for text in column))
    place = {text: row for row, text in enumerate(texts)}
    vectors = taught_vectors(teacher, [prompt + text for text in texts], cache)
    if teacher.dim > width:
        _, directions = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
        strongest = directions[:, ::-1][:, :width].astype(np.float32)
        kept = float(np.square(vectors @ strongest).sum() / len(vectors))
        logger.info("teacher: %d of %d dimensions keep %.1f%% of it", width, teacher.dim, 100 * kept)
        vectors = vectors @ strongest
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    rows = [[place[text] for text in column] for column in columns]
    return np.ascontiguousarray(np.stack([vectors[row] for row in rows], axis=1), dtype=np.float32)


def taught_vectors(teacher: Encoder, texts: Sequence[str], cache: Path | None) -> NDArray[np.float32]:
    """Return the teacher's vectors, those that were made before out of ``cache``; a kill loses one part at most."""
    parts = []
    for start in range(0, len(texts), _PART):
        part = texts[start : start + _PART]
        name = hashlib.sha256("\0".join(part).encode()).hexdigest()[:24]
        file = None if cache is None else cache / f"{name}.npy"
        if file is not None and file.is_file():
            parts.append(np.load(file))
            continue
        parts.append(encode(teacher, part))
        logger.info("teacher: %d of %d texts", start + len(part), len(texts))
        if file is not None:
            with atomic_file(file) as stream:
                np.save(stream, parts[-1])
    return np.concatenate(parts)


def load_teacher(teacher: Teacher, *, download: bool = False) -> Encoder:
    """Load the teacher by name or folder."""
    from ..model import load_model

    return load_model(teacher.model, truncate_dim=teacher.dim or None, download=download)
