"""PyTorch, for models that have no ONNX file and for a GPU (in bfloat16 there)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from ..errors import ModelFolderError


class TorchEngine:
    """A transformers model, on the GPU where there is one."""

    name = "torch"
    parallelism = 1
    packs = False

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        self._torch = require("torch", extra="train")
        transformers = require("transformers", extra="train")
        if threads:
            self._torch.set_num_threads(threads)
        self._device = "cuda" if self._torch.cuda.is_available() else "cpu"
        dtype = self._torch.bfloat16 if self._device == "cuda" else self._torch.float32
        if not (folder / "model.safetensors").is_file():
            raise ModelFolderError(f"{folder}/model.safetensors is missing; the model folder is incomplete")
        try:
            with _quiet(transformers):
                model: Any = transformers.AutoModel.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
        except Exception as error:  # broken files raise a dozen kinds
            reason = " ".join(str(error).split())[:160]
            raise ModelFolderError(f"{folder}/model.safetensors is cut off or damaged: {reason}") from error
        self._model = model.to(self._device).eval()

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64], *, alone: bool = False
    ) -> NDArray[np.float32]:
        """See :class:`ko_sentence_transformers.engines.Engine`."""
        torch = self._torch
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.from_numpy(input_ids).to(self._device),
                attention_mask=torch.from_numpy(attention_mask).to(self._device),
            )
        hidden: NDArray[np.float32] = output.last_hidden_state.float().cpu().numpy()
        return hidden


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep the loading bar and the report of weights that embeddings do not use (the pooler) off stderr."""
    log = transformers.utils.logging
    level, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bar:
            log.enable_progress_bar()
