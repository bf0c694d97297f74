"""A self-test: does each shipped model, on each engine, still make the vectors it was released with?"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .encoding import Embeddings, encode
from .errors import KoSTError
from .model import load_model
from .pooling import read_json
from .registry import list_models

# Engines round differently; a broken one is far below this.
MIN_COSINE = 0.99
GOLDEN = "golden.json"


def check_models() -> list[dict[str, Any]]:
    """Return, for each shipped model and installed engine, whether its golden vectors come out."""
    rows = []
    for meta in list_models():
        if meta.folder is None or not meta.on_disk:
            continue
        static = not (meta.folder / "onnx").is_dir()
        engines = ["numpy"] if static else [name for name in ("openvino", "onnxruntime") if find_spec(name)]
        for engine in engines:
            problem = _problem(meta.folder, None if static else engine)
            rows.append({"name": meta.name, "engine": engine, "ok": problem is None, "problem": problem})
    return rows


def _problem(folder: Path, engine: str | None) -> str | None:
    try:
        golden = read_json(folder / GOLDEN)
        wanted: Embeddings = np.asarray(golden["vectors"], dtype=np.float32)
        model = load_model(folder, engine=engine)
        ids = [part.tolist() for part in model.tokenize(golden["texts"])]
        if ids != golden["ids"]:
            return "its tokenizer gives other ids than it was released with"
        cosine = float((encode(model, golden["texts"])[:, : wanted.shape[1]] * wanted).sum(axis=1).min())
    except KoSTError as error:
        return str(error)
    return None if cosine >= MIN_COSINE else f"its vectors have drifted (cosine {cosine:.3f})"
