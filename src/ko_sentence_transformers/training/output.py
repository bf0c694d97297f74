"""The model folder that comes out: weights and metadata that every reader loads, figures, recipe and card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from .._files import atomic_folder, write_json
from ..card import model_card
from ..errors import OutputError
from ..kobert import write_golden
from ..recipe import Recipe
from ..run_report import RunReport
from .base import callable_tokenizer

# sentence-transformers 2 to 6 and other servers all read these names; the newer ones only version 5.4 and up.
_LEGACY = "sentence_transformers.models."


def write_model(folder: Path, model: Any, recipe: Recipe, figures: RunReport) -> None:
    """Write the trained ``SentenceTransformer`` as a model folder; it appears whole or not at all.

    Beside the model: ``recipe.toml`` (resolved), ``scores.json`` (before and after), ``training.json``
    (steps, versions, data hashes), ``golden_ids.json`` (what the tokenizer must give) and ``README.md``.

    :raises OutputError: if it cannot be written.
    """
    with atomic_folder(folder) as aside:
        try:
            model.save_pretrained(str(aside), create_model_card=False)
        except SafetensorError as error:  # a full disk, in the library's words
            raise OutputError(f"cannot write {folder}: {error}; make room, then --resume") from error
        legacy_metadata(aside, max_seq_length=recipe.model.max_seq_length)
        for path in aside.glob("*.safetensors"):
            path.chmod(0o644)  # the library makes them private
        write_golden(callable_tokenizer(model), aside)
        (aside / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
        write_json(aside / "scores.json", {"before": figures.before, "after": figures.after})
        write_json(aside / "training.json", figures.as_dict())
        card = model_card(recipe, figures, name=folder.name, architecture=_architecture(aside, model, recipe))
        (aside / "README.md").write_text(card, encoding="utf-8")


def legacy_metadata(folder: Path, *, max_seq_length: int) -> None:
    """Rewrite a folder's metadata in the form that every version of sentence-transformers reads.

    Version 6 writes names that versions before 5.4, and servers that follow them, refuse; the old names are
    read by all, with the same vectors.
    """
    modules = _read(folder / "modules.json")
    for row in modules:
        kind = row["type"].rsplit(".", 1)[-1]
        row["type"] = _LEGACY + kind
        if kind == "Pooling":
            path = folder / row["path"] / "config.json"
            write_json(path, _legacy_pooling(_read(path)))
    write_json(folder / "modules.json", modules)
    if modules[0]["type"].endswith("StaticEmbedding"):
        return  # it has neither a length limit nor a tokenizer of transformers
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_seq_length, "do_lower_case": False})
    tokens = _read(folder / "tokenizer_config.json")
    special = {key: value for key, value in tokens.items() if key.endswith("_token") and isinstance(value, str)}
    write_json(folder / "special_tokens_map.json", special)


def _legacy_pooling(config: dict[str, Any]) -> dict[str, Any]:
    if "pooling_mode" not in config:
        return config
    modes = (
        "cls_token",
        "mean_tokens",
        "max_tokens",
        "mean_sqrt_len_tokens",
        "weightedmean_tokens",
        "lasttoken",
    )
    chosen = config["pooling_mode"]
    chosen = [chosen] if isinstance(chosen, str) else list(chosen)
    return {
        "word_embedding_dimension": config["embedding_dimension"],
        **{f"pooling_mode_{mode}": mode.removesuffix("_tokens").removesuffix("_token") in chosen for mode in modes},
        "include_prompt": config.get("include_prompt", True),
    }


def _architecture(folder: Path, model: Any, recipe: Recipe) -> str:
    """Return the architecture as the published card prints it."""
    lines = ["SentenceTransformer("]
    for number, row in enumerate(_read(folder / "modules.json")):
        kind = row["type"].rsplit(".", 1)[-1]
        if kind == "Transformer":
            network = type(model[0].auto_model).__name__
            values = {"max_seq_length": recipe.model.max_seq_length, "do_lower_case": False}
            lines.append(f"  ({number}): Transformer({values}) with Transformer model: {network} ")
            continue
        path = folder / row["path"] / "config.json"
        config = _read(path) if path.is_file() else {}
        lines.append(f"  ({number}): {kind}({config or ''})")
    return "\n".join([*lines, ")"])


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
