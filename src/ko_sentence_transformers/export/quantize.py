"""8-bit networks: the ONNX graph with its weights and activations in 8 bits, ranges measured on sentences."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._extras import require

if TYPE_CHECKING:
    import onnx

    from ..encoding import TokenIds


def quantize_graph(graph: onnx.ModelProto, parts: Sequence[TokenIds]) -> onnx.ModelProto:
    """Return ``graph`` with 8-bit weights and activations (quantize/dequantize pairs, which every runtime reads).

    :param parts: token ids of the texts that the ranges of the activations are measured on.
    """
    # It would send usage statistics to a web service otherwise.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    with _quiet():
        nncf = require("nncf", extra="export")
        data = nncf.Dataset(
            list(parts), lambda ids: {"input_ids": ids[None], "attention_mask": np.ones((1, len(ids)), np.int64)}
        )
        quantized: onnx.ModelProto = nncf.quantize(
            graph,
            data,
            model_type=nncf.ModelType.TRANSFORMER,
            # Weights symmetric, activations not: the layers' inputs are lopsided.
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(parts),
        )
    return quantized


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantizer's log and its progress bars off stdout, where results go, and out of log files."""
    log: Any = logging.getLogger("nncf")
    level = log.level
    with contextlib.redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO()):
        try:
            log.setLevel(logging.ERROR)
            yield
        finally:
            log.setLevel(level)
