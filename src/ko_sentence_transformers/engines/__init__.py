"""What runs the network: token ids in, hidden states out. One protocol, one file an engine.

``openvino`` is the default (quickest on a CPU), ``onnxruntime`` the second and what stands in where openvino has
no wheel; ``torch`` runs models that have no ONNX file, and on a GPU.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingExtraError, ModelFolderError

# Where sentence-transformers keeps them.
ONNX_FILE = Path("onnx", "model.onnx")
OPENVINO_FILE = Path("openvino", "openvino_model.xml")
NAMES = ("openvino", "onnxruntime", "torch")


class Engine(Protocol):
    """A loaded network."""

    @property
    def name(self) -> str:
        """One of :data:`NAMES`."""

    @property
    def parallelism(self) -> int:
        """How many calls of :meth:`run` may be under way at a time."""

    @property
    def packs(self) -> bool:
        """Whether one row may hold several texts, told apart by the numbers of the mask."""

    def run(
        self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64], *, alone: bool = False
    ) -> NDArray[np.float32]:
        """Return the hidden states ``(batch, sequence, width)`` of ``(batch, sequence)`` ids and mask.

        :param alone: the caller has no other batch, so this one may have the whole processor.
        """


def default_engine() -> str:
    """Return the name of the quickest engine that is installed."""
    for name in NAMES[:2]:
        if find_spec(name):
            return name
    raise MissingExtraError("no engine is installed; run: pip install openvino (or onnxruntime)")


def load_engine(name: str | None, folder: Path, *, threads: int | None = None) -> Engine:
    """Load the network of a model folder into the engine ``name``.

    By default that is the quickest engine installed for a folder with a network file (``onnx/model.onnx``, or
    ``openvino/openvino_model.xml`` for openvino), and torch for one without.

    :param threads: processor threads to use; all by default.
    :raises InputError: for an unknown engine or a thread count below 1.
    :raises ModelFolderError: if the file is missing or cannot be read.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; it must be at least 1")
    network = folder / ONNX_FILE
    if not network.is_file() and name in (None, "openvino") and (folder / OPENVINO_FILE).is_file():
        network, name = folder / OPENVINO_FILE, "openvino"
    if name is None:
        name = default_engine() if network.is_file() else "torch"
    if name not in NAMES:
        raise InputError(f"engine {name!r} is unknown; choose one of {', '.join(NAMES)}")
    if name == "torch":
        from .torch import TorchEngine

        return TorchEngine(folder, threads=threads)
    if not network.is_file():
        raise ModelFolderError(f"{network} is missing; make it with ko-st export, or use the engine torch")
    if name == "openvino":
        from .openvino import OpenVinoEngine

        return OpenVinoEngine(network, threads=threads)
    from .onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(network, threads=threads)
