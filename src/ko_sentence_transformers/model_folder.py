"""What lies in a model folder: its modules, tokenizer, prompts and limits, in sentence-transformers' layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._extras import require
from .errors import InputError, ModelFolderError, UnknownModelError
from .hub import fetch_folder
from .pooling import read_json
from .registry import SHIPPED_FOLDER, find_model


def find_folder(name_or_path: str | Path, revision: str | None = None, download: bool = False) -> Path:
    """Return the folder of a model; names, errors and the network are those of :func:`load_model`."""
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return path
    name = str(name_or_path)
    if path.exists():
        raise InputError(f"{name} is a file; a model is a folder")
    shipped = SHIPPED_FOLDER / name
    if "/" not in name and (shipped / "modules.json").is_file():
        return shipped
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UnknownModelError(f"{name}: no such folder")
    try:
        meta = find_model(name)
    except UnknownModelError:
        if "/" not in name:
            raise
        return fetch_folder(name, revision, download=download)
    if meta.hub_id is None:
        raise ModelFolderError(f"{name} is missing from this installation; install the package again")
    return fetch_folder(meta.hub_id, revision or meta.revision, download=download)


def read_modules(folder: Path) -> list[tuple[str, Path]]:
    """Return ``(kind, folder)`` of each module that ``modules.json`` lists."""
    path = folder / "modules.json"
    if not path.is_file():
        if not (folder / "config.json").is_file():
            raise ModelFolderError(f"{folder} is no model folder: modules.json and config.json are missing")
        return [
            ("Transformer", folder),
            ("MeanPooling", folder),
        ]  # a bare encoder: mean, as sentence-transformers
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [(row["type"].rsplit(".", 1)[-1], folder / row["path"]) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFolderError(f"{path} cannot be read: {error}") from error


def read_tokenizer(folder: Path) -> Any:
    """Return the fast tokenizer of a folder; transformers makes it where there is no ``tokenizer.json``."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        if any((folder / name).is_file() for name in ("vocab.txt", "sentencepiece.bpe.model", "spiece.model")):
            transformers = require("transformers", extra="train")
            return transformers.AutoTokenizer.from_pretrained(str(folder)).backend_tokenizer
        raise ModelFolderError(f"{path} is missing; the model folder is incomplete")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare exceptions
        raise ModelFolderError(f"{path} is cut off or damaged: {' '.join(str(error).split())[:120]}") from error


def unknown_id(tokenizer: Any) -> int | None:
    """Return the id of the unknown token, if the tokenizer has one."""
    for token in ("[UNK]", "<unk>"):
        identity: int | None = tokenizer.token_to_id(token)
        if identity is not None:
            return identity
    return None


def read_prompts(folder: Path) -> Mapping[str, str]:
    """Return the prompts of a folder by name; ``query`` and ``document`` are always there."""
    path = folder / "config_sentence_transformers.json"
    named = dict(read_json(path).get("prompts") or {}) if path.is_file() else {}
    document = named.get("document") or named.get("passage") or named.get("corpus") or ""
    return {**named, "query": named.get("query") or "", "document": document}


def count_positions(config: Mapping[str, Any]) -> int:
    """Return how many tokens the network has positions for."""
    positions = int(config.get("max_position_embeddings", 512))
    if config.get("model_type") in ("roberta", "xlm-roberta", "camembert"):
        positions -= int(config.get("pad_token_id", 1)) + 1  # RoBERTa's first positions are never used
    return positions


def read_max_seq_length(folder: Path, config: Mapping[str, Any], asked: int | None = None) -> int:
    """Return what the user asked for, else the folder's own limit (its old or its new form)."""
    limit = count_positions(config)
    if asked is not None:
        if not 3 <= asked <= limit:
            raise InputError(f"max_seq_length is {asked}; the model has 3 to {limit}")
        return asked
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        if (folder / name).is_file():
            value = read_json(folder / name).get(key)
            if isinstance(value, int) and 0 < value <= limit:
                return value
    return limit
