"""What follows the network in a sentence-transformers folder, in numpy: pooling, dense layers, normalisation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelFolderError

Tokens = NDArray[np.float32]  # (tokens, width): the texts one after another
Lengths = NDArray[np.int64]  # (texts,): how many tokens each has
Vectors = NDArray[np.float32]
Pooling = Callable[[Tokens, Lengths], Vectors]
Head = Callable[[Vectors], Vectors]


def _starts(lengths: Lengths) -> NDArray[np.int64]:
    return np.cumsum(lengths) - lengths


def _mean(tokens: Tokens, lengths: Lengths) -> Vectors:
    summed: Vectors = np.add.reduceat(tokens, _starts(lengths), axis=0)
    return np.asarray(summed / lengths[:, None], dtype=np.float32)


def _mean_sqrt(tokens: Tokens, lengths: Lengths) -> Vectors:
    return _mean(tokens, lengths) * np.sqrt(lengths[:, None].astype(np.float32))


def _weighted_mean(tokens: Tokens, lengths: Lengths) -> Vectors:
    starts = _starts(lengths)
    weights = (np.arange(len(tokens)) - np.repeat(starts, lengths) + 1).astype(np.float32)[:, None]
    summed: Vectors = np.add.reduceat(tokens * weights, starts, axis=0)
    total: Vectors = np.add.reduceat(weights, starts, axis=0)
    return summed / total


def _max(tokens: Tokens, lengths: Lengths) -> Vectors:
    return np.maximum.reduceat(tokens, _starts(lengths), axis=0)


def _cls(tokens: Tokens, lengths: Lengths) -> Vectors:
    return tokens[_starts(lengths)]


def _last(tokens: Tokens, lengths: Lengths) -> Vectors:
    return tokens[np.cumsum(lengths) - 1]


# In sentence-transformers' order: several modes are laid side by side.
_MODES: dict[str, Pooling] = {
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
# The flags of the old form, and the mode each one means.
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


def pooling_modes(folder: Path) -> list[str]:
    """Return the modes that a ``1_Pooling`` folder describes, in its old or its new form.

    :raises ModelFolderError: for a mode that is not known, or none.
    """
    config = read_json(folder / "config.json")
    if "pooling_mode" in config:
        chosen = config["pooling_mode"]
        names = [chosen] if isinstance(chosen, str) else list(chosen)
    else:
        names = [mode for key, mode in POOLING_FLAGS.items() if config.get(key)]
    unknown = [name for name in names if name not in _MODES]
    if unknown or not names:
        raise ModelFolderError(
            f"{folder}: pooling {', '.join(unknown) or 'mode'} is unknown; known: {', '.join(_MODES)}"
        )
    return names


def load_pooling(folder: Path | None) -> Pooling:
    """Return the pooling that a ``1_Pooling`` folder describes, in its old or its new form; the mean for None.

    :raises ModelFolderError: for a mode that is not known, or none.
    """
    if folder is None:
        return _mean
    names = pooling_modes(folder)
    functions = [_MODES[name] for name in names]
    if len(functions) == 1:
        return functions[0]
    return lambda tokens, lengths: np.concatenate([f(tokens, lengths) for f in functions], axis=1)


def load_head(kind: str, folder: Path) -> Head:
    """Return the module ``kind`` (``Dense`` or ``Normalize``) of ``folder`` as a function on ``(n, dim)`` vectors.

    :raises ModelFolderError: for another kind, a missing file, or an unknown activation.
    """
    if kind == "Normalize":
        return lambda vectors: vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    if kind != "Dense":
        raise ModelFolderError(f"{folder}: module {kind} is unknown; known: Transformer, Pooling, Dense, Normalize")
    config = read_json(folder / "config.json")
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh")).rsplit(".", 1)[-1]
    if activation not in ("Identity", "Tanh"):
        raise ModelFolderError(f"{folder}: activation {activation} is unknown; known: Identity, Tanh")
    weights = read_safetensors(folder / "model.safetensors")
    weight = np.ascontiguousarray(weights["linear.weight"].T.astype(np.float32))
    bias = weights["linear.bias"].astype(np.float32) if "linear.bias" in weights else np.float32(0)
    if activation == "Identity":
        return lambda vectors: vectors @ weight + bias
    return lambda vectors: np.tanh(vectors @ weight + bias)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in ``path``.

    :raises ModelFolderError: if it is missing or cut off.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFolderError(f"{path} is missing; the model folder is incomplete") from None
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise ModelFolderError(f"{path} holds a {type(document).__name__}, not a JSON object")
    return document


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a safetensors file.

    :raises ModelFolderError: if it is missing or cut off.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except FileNotFoundError:
        raise ModelFolderError(f"{path} is missing; the model folder is incomplete") from None
    except TypeError as error:  # numpy knows no bfloat16
        raise ModelFolderError(f"{path}: {error}; save the weights as float32 or float16") from error
    except (OSError, SafetensorError) as error:
        raise ModelFolderError(f"{path} is cut off or damaged: {error}") from error
