"""A second look at the best hits: a CrossEncoder of sentence-transformers reads the query and each text together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from .._extras import require
from ..errors import ModelError, ModelFolderError
from ..hub import fetch_folder

Reranker = Callable[[str, Sequence[str]], Sequence[float]]
# Hits that are read again, or k if that is more: each costs a pass through the model.
RERANKED = 50
# No model of this kind reads more of a text; without a bound the tokenizer would first read all of it.
_CHARACTERS = 8192


def load_reranker(name: str, *, download: bool = False) -> Reranker:
    """Return the scorer of a CrossEncoder: ``(query, texts) -> one score for each text``, higher is better.

    :param name: a folder, or a hub id.
    :param download: whether a model that is not on disk may be fetched.
    :raises ModelError: if it is not there, cannot be loaded, or does not give one score for a pair.
    """
    cross = require("sentence_transformers", extra="train").CrossEncoder
    folder = Path(name) if Path(name).exists() else fetch_folder(name, None, download=download)
    if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
        raise ModelFolderError(f"{folder} holds no CrossEncoder (no config.json, no modules.json); give its folder")
    try:
        model = cross(str(folder), local_files_only=True)
    except Exception as error:  # what transformers raises for a broken folder shares no base
        raise ModelFolderError(f"{folder} cannot be loaded as a CrossEncoder: {_line(error)}") from error

    def scores(query: str, texts: Sequence[str]) -> Sequence[float]:
        pairs = [(query[:_CHARACTERS], text[:_CHARACTERS]) for text in texts]
        try:
            found = np.asarray(model.predict(pairs, show_progress_bar=False))
        except Exception as error:  # as above: a tokenizer and weights that do not fit, for one
            raise ModelError(f"{folder} cannot score pairs of texts: {_line(error)}") from error
        if found.shape != (len(pairs),):
            raise ModelError(f"{folder} gives {found.shape[-1]} scores for a pair; a reranker gives one (num_labels=1)")
        if not np.isfinite(found).all():
            raise ModelError(f"{folder} gives NaN or infinity; use another reranker")
        return [float(score) for score in found]

    return scores


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
