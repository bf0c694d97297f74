"""The table of a static model: one row a piece of the tokenizer, in float32 or in 8 bits; means of its rows.

The 8-bit form is that of model2vec, which sentence-transformers reads as well: ``embeddings`` holds int8 values and
``weights`` what each row is multiplied with.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import ModelFolderError
from .pooling import Lengths, Vectors, read_safetensors

WEIGHTS = "model.safetensors"
# Texts summed together: what they gather stays in the processor's cache.
_TEXTS = 1024
# Tokens of a text that are added one by one for all texts at once; longer texts are summed each alone.
_LONG = 256


def read_table(folder: Path) -> Vectors:
    """Return the ``(pieces, dim)`` float32 table of a ``StaticEmbedding`` folder, whatever its form.

    :raises ModelFolderError: if the file is missing, damaged, or holds no table.
    """
    weights = read_safetensors(folder / WEIGHTS)
    if "embedding.weight" in weights:
        return np.ascontiguousarray(weights["embedding.weight"], dtype=np.float32)
    if "embeddings" not in weights:
        raise ModelFolderError(f"{folder / WEIGHTS} holds no embedding.weight")
    table = weights["embeddings"].astype(np.float32)
    if "mapping" in weights:  # several pieces share a row
        table = table[weights["mapping"].astype(np.int64)]
    if "weights" in weights:
        table *= weights["weights"].astype(np.float32)[:, None]
    return np.ascontiguousarray(table)


def write_table(folder: Path, table: Vectors, *, eight_bits: bool) -> None:
    """Write ``table`` into a ``StaticEmbedding`` folder.

    :param eight_bits: int8 values with one scale a row; a quarter of the size.
    :raises ModelFolderError: if a value is NaN or infinity.
    """
    from safetensors.numpy import save_file

    if not np.isfinite(table).all():
        raise ModelFolderError(f"{folder / WEIGHTS}: the table holds NaN or infinity; its training run diverged")
    if eight_bits:
        largest = np.abs(table).max(axis=1)
        scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
        values = np.rint(table / scales[:, None]).astype(np.int8)
        tensors = {"embeddings": values, "weights": scales}
    else:
        tensors = {"embedding.weight": np.ascontiguousarray(table, dtype=np.float32)}
    path = folder / WEIGHTS
    path.unlink(missing_ok=True)  # a reader may still have the old file mapped
    save_file(tensors, path)
    path.chmod(0o644)  # the library makes it private


def mean_rows(table: Vectors, ids: NDArray[np.int64], lengths: Lengths) -> Vectors:
    """Return the mean of the rows of each text: ``(len(lengths), dim)``; a text without tokens is zeros.

    :param ids: the tokens of the texts one after another, ``lengths`` of them each.
    """
    out = np.zeros((len(lengths), table.shape[1]), dtype=np.float32)
    starts = np.cumsum(lengths) - lengths
    order = np.argsort(-lengths, kind="stable")
    long, order = order[: int((lengths > _LONG).sum())], order[int((lengths > _LONG).sum()) : int((lengths > 0).sum())]
    for text in long:
        for start in range(starts[text], starts[text] + lengths[text], _TEXTS):
            out[text] += table[ids[start : min(start + _TEXTS, starts[text] + lengths[text])]].sum(axis=0)
    for first in range(0, len(order), _TEXTS):
        texts = order[first : first + _TEXTS]  # the longest first, so those that have a token more are in front
        at = starts[texts]
        sums = table[ids[at]]
        for position in range(1, int(lengths[texts[0]])):
            left = int((lengths[texts] > position).sum())
            sums[:left] += table[ids[at[:left] + position]]
        out[texts] = sums
    out /= np.maximum(lengths, 1)[:, None]
    return out
