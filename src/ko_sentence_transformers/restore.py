"""Full-precision weights out of an 8-bit ONNX file or table, so that sentence-transformers can load what ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engines.onnx_file import read_initializers
from .errors import ModelFolderError
from .model_folder import read_modules
from .pooling import read_json
from .static_table import read_table, write_table

# Names that the quantizer gives: 8-bit values, their scale, and the smoothing factors of a layer's input.
_VALUES, _SCALE, _SMOOTH = "q_output_{}_1", "scale_{}_1", "{}_0_0/nncf_smooth_quant_scale"


def restore_weights(folder: Path) -> None:
    """Write ``model.safetensors`` (float32, the names of transformers) from what ``folder`` ships.

    :raises ModelFolderError: if the 8-bit weights are missing or of another form.
    """
    from safetensors.numpy import save_file

    kind, network = read_modules(folder)[0]
    if kind == "StaticEmbedding":
        write_table(network, read_table(network), eight_bits=False)
        return
    config = read_json(folder / "config.json")
    weights = _dequantized(read_initializers(folder / "onnx" / "model.onnx"), config)
    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, folder / "model.safetensors")


def _dequantized(stored: dict[str, NDArray[Any]], config: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    out: dict[str, NDArray[np.float32]] = {}
    for name in _weight_names(config):
        if name in stored:
            value = stored[name].astype(np.float32)
        elif _VALUES.format(name) in stored:
            value = stored[_VALUES.format(name)].astype(np.float32)
            scale = stored[_SCALE.format(name)]
            # One scale a row of an embedding table, one a column of a (transposed) linear weight.
            value = value * (scale[:, None] if name.startswith("embeddings.") else scale)
        else:
            raise ModelFolderError(f"onnx/model.onnx lacks {name}; the file is of another form")
        if name.endswith(".weight") and ".LayerNorm." not in name and not name.startswith("embeddings."):
            smooth = stored.get(_SMOOTH.format(_input_of(name)))
            if smooth is not None:
                # The graph multiplies the layer's input by this factor, and the stored weight by its inverse.
                value = value * smooth.reshape(-1, 1).astype(np.float32)
            value = value.T
        out[name] = value.astype(np.float32)
    width = int(config["hidden_size"])
    # The graph folds the only token type into the positions.
    out["embeddings.token_type_embeddings.weight"] = np.zeros((int(config["type_vocab_size"]), width), np.float32)
    return out


def _weight_names(config: dict[str, Any]) -> list[str]:
    norm, linear = ("weight", "bias"), ("weight", "bias")
    names = ["embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"]
    names += [f"embeddings.LayerNorm.{part}" for part in norm]
    for index in range(int(config["num_hidden_layers"])):
        layer = f"encoder.layer.{index}"
        for module in (
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
            "attention.output.LayerNorm",
            "intermediate.dense",
            "output.dense",
            "output.LayerNorm",
        ):
            names += [f"{layer}.{module}.{part}" for part in linear]
    return names


def _input_of(name: str) -> str:
    """Return the name of the node whose output feeds the linear layer of this weight."""
    layer, _, module = name.partition(".attention.self.")
    if module:
        index = int(layer.rsplit(".", 1)[1])
        return f"encoder.layer.{index - 1}.output.LayerNorm" if index else "embeddings.LayerNorm"
    layer = ".".join(name.split(".")[:3])
    if name.startswith(f"{layer}.attention.output"):
        return f"{layer}.attention.merged"
    return f"{layer}.attention.output.LayerNorm" if ".intermediate." in name else f"{layer}.gelu"
