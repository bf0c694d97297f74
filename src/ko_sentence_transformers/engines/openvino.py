"""OpenVINO, the default engine: 8-bit arithmetic close to what the processor can do."""

from __future__ import annotations

import os
import queue
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from ..errors import ModelFolderError
from .cache import cache_folder
from .onnx_file import packs

# Each new input shape is compiled once and kept; shapes come from a small set (see model.py), so this holds them all.
_SHAPES_KEPT = 64


def load_openvino() -> Any:
    """Import openvino with its usage statistics off: they go to a web service and write into the home folder."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return require("openvino", extra="openvino")


class OpenVinoEngine:
    """A compiled network, read from ``.onnx`` or ``.xml``, with one request a stream."""

    name = "openvino"

    def __init__(self, network: Path, *, threads: int | None = None) -> None:
        openvino = load_openvino()
        threads = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads
        # One stream a core: each works on a batch of its own, and no core waits for another.
        self.parallelism = threads or os.cpu_count() or 1
        options: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": self.parallelism,
            "NUM_STREAMS": self.parallelism,
            "CPU_RUNTIME_CACHE_CAPACITY": _SHAPES_KEPT,
            # Not the processor's own choice (bf16 on some), so that vectors agree between machines.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        folder = cache_folder("openvino")
        if folder is not None:
            options["CACHE_DIR"] = str(folder)
        core = openvino.Core()
        try:
            compiled = core.compile_model(str(network), "CPU", options)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-160:]
            raise ModelFolderError(f"{network}: not a readable model: {reason}") from error
        self.packs = packs(network)
        self._inputs = [port.any_name for port in compiled.inputs]
        # Two threads that are the first to turn an array into a tensor can wait for each other for ever: one holds
        # the binding's once-only setup and needs Python's lock, the other the reverse. So it is done once, here.
        openvino.Tensor(np.zeros((1, 1), np.int64), shared_memory=True)
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.parallelism):
            self._requests.put(compiled.create_infer_request())

    def run(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """See :class:`ko_sentence_transformers.engines.Engine`."""
        values = {"input_ids": input_ids, "attention_mask": attention_mask}
        if "token_type_ids" in self._inputs:
            values["token_type_ids"] = np.zeros_like(input_ids)
        request = self._requests.get()
        try:
            request.infer({name: values[name] for name in self._inputs}, share_inputs=True)
            # Copied: the request's own buffer is written again by the next run.
            return np.array(request.get_output_tensor(0).data, dtype=np.float32)
        finally:
            self._requests.put(request)
