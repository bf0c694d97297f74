"""``export_model``: one folder in, one folder out, and nothing written unless the vectors agree."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .._extras import require
from .._files import atomic_folder, write_json
from ..diagnosis import GOLDEN, MIN_COSINE
from ..encoding import Embeddings, Encoder, encode
from ..engines.cache import no_cache
from ..errors import InputError, ModelError, ModelFolderError
from ..model import load_model
from ..model_folder import find_folder, read_modules
from ..pooling import read_json, read_safetensors
from ..restore import restore_weights
from ..static_table import WEIGHTS, read_table, write_table
from .folder import write_portable
from .graph import encoder_graph
from .quantize import quantize_graph
from .sentences import PROBE, korean_sentences

FORMATS = ("onnx", "onnx-int8", "openvino", "portable")
CALIBRATION_SENTENCES = 300
# No single sentence may be off by more than 8 bits explain; a broken graph is far below this.
MIN_WORST_COSINE = 0.95
# One ONNX file holds at most 2 GiB.
_MAX_BYTES = 2_000_000_000
_GOLDEN_TEXTS = 8


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and how close its vectors are to the full-precision network's."""

    path: Path
    format: str
    size_mb: float
    dim: int
    mean_cosine: float
    min_cosine: float
    reference: str

    def as_dict(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        return {**asdict(self), "path": str(self.path)}


def export_model(
    name_or_path: str | Path,
    target: str | Path,
    *,
    to: str = "onnx-int8",
    calibration: Sequence[str] | None = None,
    revision: str | None = None,
    download: bool = False,
) -> ExportReport:
    """Write a model as the new folder ``target`` in the form ``to``, after comparing its vectors.

    ``onnx`` and ``onnx-int8`` hold ``onnx/model.onnx``, ``openvino`` holds ``openvino/openvino_model.xml``, and
    ``portable`` both the weights and ``onnx/model.onnx``: sentence-transformers 3 to 6, text-embeddings-inference
    and fastembed read it. All hold ``golden.json``: texts, token ids and vectors to check an installation with.
    A static model has no network: ``onnx-int8`` holds its table in 8 bits, ``portable`` in float32.

    :param name_or_path: a shipped name, a sentence-transformers folder with ``model.safetensors``, or a hub id.
    :param calibration: the texts that 8-bit ranges are measured on; 300 built-in Korean sentences by default.
    :raises ModelError: if vectors differ (mean cosine under 0.99, one under 0.95) or are not finite; nothing is left.
    :raises ModelFolderError: for an architecture that cannot be exported, or an incomplete folder.
    :raises OutputError: if ``target`` exists or cannot be written.
    """
    if to not in FORMATS:
        raise InputError(f"format {to!r} is unknown; choose one of {', '.join(FORMATS)}")
    if calibration is not None and not any(text.strip() for text in calibration):
        raise InputError("the calibration texts are blank; give some hundred sentences of the kind to be encoded")
    source = find_folder(name_or_path, revision, download)
    target = Path(target)
    with atomic_folder(target) as aside, no_cache():
        write_full_precision(source, aside)
        if read_modules(aside)[0][0] == "StaticEmbedding":
            report = _finish_static(aside, to)
        else:
            report = _convert(aside, to, calibration or korean_sentences(CALIBRATION_SENTENCES))
        size = sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
    return ExportReport(target, to, round(size / 1e6, 1), **report)


def write_full_precision(source: Path, target: Path) -> None:
    """Write the model folder ``source`` into the empty folder ``target``, portable and with float weights.

    :raises ModelFolderError: if ``source`` has neither float weights nor 8-bit ones of ours.
    """
    network = read_modules(source)[0][1]
    if (network / WEIGHTS).is_file() or not (network / "onnx" / "model.onnx").is_file():
        write_portable(source, target)
        return
    restored = target / "restored"
    shutil.copytree(source, restored)
    restore_weights(restored)
    write_portable(restored, target)
    shutil.rmtree(restored)


def _convert(folder: Path, to: str, calibration: Sequence[str]) -> dict[str, Any]:
    """Add the network to a full-precision folder, compare, and drop what the form does not hold."""
    onnx = require("onnx", extra="export")
    graph = encoder_graph(read_json(folder / "config.json"), _weights(folder / WEIGHTS))
    path = folder / "onnx" / "model.onnx"
    path.parent.mkdir()
    onnx.save(graph, path)
    exact = load_model(folder)
    reference = "torch" if find_spec("torch") and find_spec("transformers") else "onnx"
    wanted = encode(load_model(folder, engine="torch") if reference == "torch" else exact, PROBE)
    if to == "onnx-int8":
        parts = [exact.window(ids)[0] for ids in exact.tokenize(calibration)]
        path.unlink()  # the engine may still read the old file: never write into it
        onnx.save(quantize_graph(graph, parts), path)
    elif to == "openvino":
        _to_openvino(path, folder / "openvino" / "openvino_model.xml")
        shutil.rmtree(path.parent)
    if to != "portable":
        (folder / WEIGHTS).unlink()
    model = load_model(folder)
    return {**_compare(model, wanted, folder), "reference": reference}


def _finish_static(folder: Path, to: str) -> dict[str, Any]:
    """Put the table into 8 bits where the form is the 8-bit one: a static model has nothing else to convert."""
    if to not in ("onnx-int8", "portable"):
        raise InputError(
            f"a static model has no network to export to {to}; --to onnx-int8 writes its table in 8 bits, "
            "--to portable in float32"
        )
    wanted = encode(load_model(folder), PROBE)
    if to == "onnx-int8":
        network = read_modules(folder)[0][1]
        write_table(network, read_table(network), eight_bits=True)
    return {**_compare(load_model(folder), wanted, folder), "reference": "numpy"}


def _weights(path: Path) -> dict[str, Any]:
    weights = read_safetensors(path)
    broken = next((name for name, value in weights.items() if not np.isfinite(value).all()), None)
    if broken is not None:
        raise ModelFolderError(f"{path.name}: {broken} holds NaN or infinity; the training run that made it diverged")
    size = sum(4 * value.size for value in weights.values())
    if size > _MAX_BYTES:
        raise ModelFolderError(f"{path.name} is {size / 1e9:.1f} GB in float32; one ONNX file holds at most 2 GB")
    return weights


def _to_openvino(onnx_file: Path, target: Path) -> None:
    from ..engines.onnx_file import PACKED_PRODUCER
    from ..engines.openvino import load_openvino

    openvino = load_openvino()
    network = openvino.convert_model(onnx_file)
    network.set_rt_info(PACKED_PRODUCER, "producer")
    target.parent.mkdir()
    openvino.save_model(network, target, compress_to_fp16=False)


def _compare(model: Encoder, wanted: Embeddings, folder: Path) -> dict[str, Any]:
    """Return the cosines to ``wanted``, the vectors of the probe sentences, and write ``golden.json``."""
    vectors = encode(model, PROBE)
    cosines = (vectors * wanted).sum(axis=1)
    worst = int(cosines.argmin())
    if cosines.mean() < MIN_COSINE or cosines[worst] < MIN_WORST_COSINE:
        raise ModelError(
            f"the exported network's vectors differ: cosine {cosines.mean():.4f} on average and "
            f"{cosines[worst]:.4f} for {PROBE[worst]!r}, "
            f"{MIN_COSINE} and {MIN_WORST_COSINE} are needed; nothing was written"
        )
    texts = list(PROBE[:_GOLDEN_TEXTS])
    ids = [part.tolist() for part in model.tokenize(texts)]
    rows = [[round(float(value), 5) for value in row] for row in vectors[: len(texts)]]
    write_json(folder / GOLDEN, {"texts": texts, "ids": ids, "vectors": rows})
    return {"dim": model.dim, "mean_cosine": float(cosines.mean()), "min_cosine": float(cosines[worst])}
