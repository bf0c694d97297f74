"""ONNX Runtime, the second engine: the same file and the same vectors, on more platforms."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from ..errors import ModelFolderError
from .onnx_file import packs


def load_onnxruntime() -> Any:
    """Import onnxruntime with its usage statistics off: they go to a web service and write into the home folder."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return require("onnxruntime", extra="onnxruntime")


class OnnxRuntimeEngine:
    """An inference session; its own threads work on one batch at a time."""

    name = "onnxruntime"
    parallelism = 1

    def __init__(self, onnx_file: Path, *, threads: int | None = None) -> None:
        runtime = load_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or os.cpu_count() or 1
        options.log_severity_level = 3
        # The arena keeps the largest batch for ever otherwise.
        options.enable_cpu_mem_arena = False
        try:
            self._session = runtime.InferenceSession(str(onnx_file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base but Exception
            reason = " ".join(str(error).split())[-160:]
            raise ModelFolderError(f"{onnx_file}: not a readable ONNX model: {reason}") from error
        self.packs = packs(onnx_file)
        self._inputs = [value.name for value in self._session.get_inputs()]

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64], *, alone: bool = False
    ) -> NDArray[np.float32]:
        """See :class:`ko_sentence_transformers.engines.Engine`."""
        values = {"input_ids": input_ids, "attention_mask": attention_mask}
        if "token_type_ids" in self._inputs:
            values["token_type_ids"] = np.zeros_like(input_ids)
        hidden = self._session.run(None, {name: values[name] for name in self._inputs})[0]
        return np.asarray(hidden, dtype=np.float32)
