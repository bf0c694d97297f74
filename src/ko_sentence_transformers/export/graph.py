"""A BERT-, RoBERTa- or XLM-R-shaped encoder as an ONNX graph, built from its config and weights alone.

No torch and no tracing: the architecture is thirty operators a layer, and every initializer keeps the name that
the weight has in ``model.safetensors``, so that the weights can be read back out of the graph. Inputs are
``input_ids`` and ``attention_mask`` (batch, sequence) int64, the output is ``last_hidden_state`` (batch, sequence,
width) float32, as in sentence-transformers' ONNX files. Token types are all 0 and are folded into the positions.

The mask means a little more than usual: tokens see each other where its numbers are equal, and positions count
within equal numbers. With 0 and 1 that is the usual mask; with 1, 2, 3 ... several texts share one row, none of them
padded and none seeing another. So rows can be filled, and one input shape serves texts of any length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from ..engines.onnx_file import PACKED_PRODUCER
from ..errors import ModelFolderError

if TYPE_CHECKING:
    import onnx

OPSET = 17  # LayerNormalization is one operator from here on; onnxruntime 1.13 and TEI read it


SHAPES = ("bert", "roberta", "xlm-roberta", "camembert")
Weights = Mapping[str, NDArray[np.float32]]


def encoder_graph(config: Mapping[str, Any], weights: Weights) -> onnx.ModelProto:
    """Return the encoder with these ``config.json`` facts and safetensors weights.

    :raises ModelFolderError: for another architecture, or a weight that is missing.
    """
    kind = config.get("model_type")
    if kind not in SHAPES:
        raise ModelFolderError(f"model_type {kind!r} cannot be exported; shapes known: {', '.join(SHAPES)}")
    if config.get("hidden_act") != "gelu":
        raise ModelFolderError(f"hidden_act {config.get('hidden_act')!r} cannot be exported; only 'gelu'")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelFolderError("relative positions cannot be exported; only absolute ones")
    return _Builder(config, _without_prefix(weights)).build()


def _without_prefix(weights: Weights) -> dict[str, NDArray[np.float32]]:
    """Drop the ``bert.``/``roberta.`` that a checkpoint of a whole task model puts before each name."""
    marker = "embeddings.word_embeddings.weight"
    prefix = next((name[: -len(marker)] for name in weights if name.endswith(marker)), None)
    if prefix is None:
        raise ModelFolderError(f"no weight is called {marker}; is this an encoder?")
    return {
        name.removeprefix(prefix): np.asarray(value, dtype=np.float32)
        for name, value in weights.items()
        if name.startswith(prefix)
    }


class _Builder:
    """Collects nodes and initializers; each method adds one part of the network and returns its output's name."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, NDArray[np.float32]]) -> None:
        self.config, self.weights = config, weights
        self.onnx = require("onnx", extra="export")
        self.nodes: list[Any] = []
        self.initializers: dict[str, NDArray[Any]] = {}
        self.heads = int(config["num_attention_heads"])
        self.width = int(config["hidden_size"])

    def build(self) -> onnx.ModelProto:
        helper, tensor = self.onnx.helper, self.onnx.TensorProto
        self.constant("heads.shape", np.array([0, 0, self.heads, self.width // self.heads], np.int64))
        self.constant("merged.shape", np.array([0, 0, self.width], np.int64))
        self.constant("half", np.float32(0.5))
        self.constant("one", np.float32(1.0))
        self.constant("sqrt2", np.float32(2**0.5))
        self.same_text()
        hidden = self.embeddings()
        mask = self.mask()
        for index in range(int(self.config["num_hidden_layers"])):
            hidden = self.layer(f"encoder.layer.{index}", hidden, mask)
        self.nodes[-1].output[0] = "last_hidden_state"
        shape = ["batch", "sequence"]
        graph = helper.make_graph(
            self.nodes,
            "encoder",
            [helper.make_tensor_value_info(n, tensor.INT64, shape) for n in ("input_ids", "attention_mask")],
            [helper.make_tensor_value_info("last_hidden_state", tensor.FLOAT, [*shape, self.width])],
            [self.onnx.numpy_helper.from_array(value, name) for name, value in self.initializers.items()],
        )
        model: onnx.ModelProto = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name=PACKED_PRODUCER
        )
        self.onnx.checker.check_model(model)
        return model

    def embeddings(self) -> str:
        words = self.node("Gather", "embeddings.words", [self.weight("embeddings.word_embeddings.weight"), "input_ids"])
        positions = self.need("embeddings.position_embeddings.weight")
        if "embeddings.token_type_embeddings.weight" in self.weights:
            positions = positions + self.need("embeddings.token_type_embeddings.weight")[0]
        table = self.constant("embeddings.position_embeddings.weight", positions)
        looked_up = self.node("Gather", "embeddings.positions", [table, self.positions()])
        return self.norm("embeddings.LayerNorm", self.node("Add", "embeddings.sum", [words, looked_up]))

    def same_text(self) -> str:
        """Which tokens of a row belong to one text: (batch, sequence, sequence) bool."""
        rows = self.node(
            "Unsqueeze", "texts.rows", ["attention_mask", self.constant("axis.2", np.array([2], np.int64))]
        )
        columns = self.node(
            "Unsqueeze", "texts.columns", ["attention_mask", self.constant("axis.1", np.array([1], np.int64))]
        )
        return self.node("Equal", "texts.same", [rows, columns])

    def positions(self) -> str:
        """How many tokens of its own text stand before each token: (batch, sequence) int64."""
        counted = self.node("Cast", "positions.same", ["texts.same.out"], to=self.onnx.TensorProto.INT64)
        earlier = self.node(
            "Trilu",
            "positions.earlier",
            [counted, self.constant("positions.diagonal", np.int64(-1))],
            upper=0,
        )
        count = self.node("ReduceSum", "positions.count", [earlier, "axis.2"], keepdims=0)
        if self.config["model_type"] == "bert":
            return count
        # RoBERTa counts from padding_idx + 1.
        first = np.int64(self.config.get("pad_token_id", 1) + 1)
        return self.node("Add", "positions.ids", [count, self.constant("positions.first", first)])

    def mask(self) -> str:
        """0 where a token may look and a large negative number where not: (batch, 1, sequence, sequence)."""
        look, hide = self.constant("mask.look", np.float32(0)), self.constant("mask.hide", np.float32(-1e4))
        return self.node(
            "Unsqueeze", "mask.bias", [self.node("Where", "mask", ["texts.same.out", look, hide]), "axis.1"]
        )

    def layer(self, name: str, hidden: str, mask: str) -> str:
        attended = self.attention(f"{name}.attention", hidden, mask)
        wide = self.gelu(f"{name}.gelu", self.linear(f"{name}.intermediate.dense", attended))
        narrow = self.linear(f"{name}.output.dense", wide)
        return self.norm(f"{name}.output.LayerNorm", self.node("Add", f"{name}.output.sum", [narrow, attended]))

    def attention(self, name: str, hidden: str, mask: str) -> str:
        query, key, value = (
            self.node(
                "Transpose",
                f"{name}.self.{part}.heads",
                [
                    self.node(
                        "Reshape",
                        f"{name}.self.{part}.split",
                        [self.linear(f"{name}.self.{part}", hidden), "heads.shape"],
                    )
                ],
                perm=[0, 2, 3, 1] if part == "key" else [0, 2, 1, 3],
            )
            for part in ("query", "key", "value")
        )
        scale = self.constant("attention.scale", np.float32((self.width // self.heads) ** -0.5))
        scores = self.node("Mul", f"{name}.scaled", [self.node("MatMul", f"{name}.scores", [query, key]), scale])
        weights = self.node("Softmax", f"{name}.weights", [self.node("Add", f"{name}.masked", [scores, mask])], axis=-1)
        context = self.node("MatMul", f"{name}.context", [weights, value])
        merged = self.node(
            "Reshape",
            f"{name}.merged",
            [self.node("Transpose", f"{name}.joined", [context], perm=[0, 2, 1, 3]), "merged.shape"],
        )
        out = self.linear(f"{name}.output.dense", merged)
        return self.norm(f"{name}.output.LayerNorm", self.node("Add", f"{name}.output.sum", [out, hidden]))

    def linear(self, name: str, hidden: str) -> str:
        """``hidden @ weight.T + bias``; the initializer holds the weight transposed, as MatMul wants it."""
        weight = self.constant(f"{name}.weight", np.ascontiguousarray(self.need(f"{name}.weight").T))
        product = self.node("MatMul", f"{name}.product", [hidden, weight])
        return self.node("Add", name, [product, self.weight(f"{name}.bias")])

    def norm(self, name: str, hidden: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        epsilon = float(self.config.get("layer_norm_eps", 1e-12))
        return self.node("LayerNormalization", name, [hidden, scale, bias], axis=-1, epsilon=epsilon)

    def gelu(self, name: str, hidden: str) -> str:
        """x/2 * (1 + erf(x / sqrt 2)), the form that every runtime fuses."""
        erf = self.node("Erf", f"{name}.erf", [self.node("Div", f"{name}.scaled", [hidden, "sqrt2"])])
        gate = self.node("Mul", f"{name}.gated", [hidden, self.node("Add", f"{name}.shifted", [erf, "one"])])
        return self.node("Mul", name, [gate, "half"])

    def node(self, operator: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), [f"{name}.out"], name=name, **attributes))
        return f"{name}.out"

    def constant(self, name: str, value: Any) -> str:
        self.initializers[name] = np.asarray(value)
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.need(name))

    def need(self, name: str) -> NDArray[np.float32]:
        if name not in self.weights:
            raise ModelFolderError(f"the weights lack {name}; the file is cut off or of another shape")
        return self.weights[name]
