"""OpenVINO, the default engine: 8-bit arithmetic close to what the processor can do."""

from __future__ import annotations

import os
import queue
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
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
    """A network, read from ``.onnx`` or ``.xml``, compiled for what is asked of it.

    Many batches run on one stream a core, where no core waits for another. A batch alone runs on all cores
    together, which answers sooner. Each form is compiled when it is first needed, and holds weights of its own.
    """

    name = "openvino"

    def __init__(self, network: Path, *, threads: int | None = None) -> None:
        openvino = load_openvino()
        threads = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads
        self.parallelism = threads or os.cpu_count() or 1
        self.packs = packs(network)
        self._network = network
        self._core = openvino.Core()
        self._compiling = threading.Lock()
        # Here already, so that a damaged file is found at loading.
        self._whole: _Requests | None = self._compile(streams=1)
        self._whole_ran = False
        self._streams: _Requests | None = self._whole if self.parallelism == 1 else None
        # Two threads that are the first to turn an array into a tensor can wait for each other for ever: one holds
        # the binding's once-only setup and needs Python's lock, the other the reverse. So it is done once, here.
        openvino.Tensor(np.zeros((1, 1), np.int64), shared_memory=True)

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64], *, alone: bool = False
    ) -> NDArray[np.float32]:
        """See :class:`ko_sentence_transformers.engines.Engine`."""
        requests, request = self._take(alone)
        values = {"input_ids": input_ids, "attention_mask": attention_mask}
        if "token_type_ids" in requests.inputs:
            values["token_type_ids"] = np.zeros_like(input_ids)
        try:
            request.infer({name: values[name] for name in requests.inputs}, share_inputs=True)
            # Copied: the request's own buffer is written again by the next run.
            return np.array(request.get_output_tensor(0).data, dtype=np.float32)
        finally:
            requests.free.put(request)

    def _take(self, alone: bool) -> tuple[_Requests, Any]:
        """Return a free request of the form that suits, and whose it is."""
        with self._compiling:
            if alone:
                self._whole = self._whole or self._compile(streams=1)
                self._whole_ran = True
                with suppress(queue.Empty):  # then another caller has all cores: share them
                    return self._whole, self._whole.free.get_nowait()
            elif self._streams is None and not self._whole_ran:
                self._whole = None  # never needed so far: its memory is
            self._streams = self._streams or self._compile(streams=self.parallelism)
            requests = self._streams
        return requests, requests.free.get()

    def _compile(self, *, streams: int) -> _Requests:
        options: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": self.parallelism,
            "NUM_STREAMS": streams,
            "CPU_RUNTIME_CACHE_CAPACITY": _SHAPES_KEPT,
            # Not the processor's own choice (bf16 on some), so that vectors agree between machines.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        folder = cache_folder("openvino")
        if folder is not None:
            options["CACHE_DIR"] = str(folder)
        try:
            compiled = self._core.compile_model(str(self._network), "CPU", options)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-160:]
            raise ModelFolderError(f"{self._network}: not a readable model: {reason}") from error
        requests = _Requests([port.any_name for port in compiled.inputs], queue.SimpleQueue())
        for _ in range(streams):
            requests.free.put(compiled.create_infer_request())
        return requests


@dataclass(frozen=True)
class _Requests:
    """A compiled network's inputs, and its requests that are free."""

    inputs: list[str]
    free: queue.SimpleQueue[Any]
