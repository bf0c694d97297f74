"""A model folder in the form that every reader knows.

sentence-transformers 5.4 and later write metadata that older versions, text-embeddings-inference and some others
cannot read; all of them read the older form. So that one is written: ``max_seq_length``, ``pooling_mode_*`` flags,
``sentence_transformers.models.*`` types, a tokenizer class that transformers 4 knows, ``special_tokens_map.json``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._files import write_json
from ..errors import ModelFolderError
from ..model_folder import read_max_seq_length, read_modules, read_prompts, read_tokenizer
from ..pooling import POOLING_FLAGS, pooling_modes, read_json
from ..static_table import WEIGHTS, read_table, write_table

_TYPES = "sentence_transformers.models."
_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
# Keys that only transformers 5 writes, and what they would make older versions stumble over.
_NEW_TOKENIZER_KEYS = ("backend", "is_local", "local_files_only", "extra_special_tokens", "tokenizer_file")
# What text-embeddings-inference needs and transformers 5 may leave out.
_CONFIG_DEFAULTS = {"initializer_range": 0.02, "hidden_dropout_prob": 0.1, "position_embedding_type": "absolute"}


def write_portable(source: Path, target: Path) -> None:
    """Copy the model folder ``source`` into the empty folder ``target``: same weights, metadata in the old form.

    Left out are files that describe another form of the model: other networks, slow tokenizers, training state.

    :raises ModelFolderError: for a module of a kind that cannot be kept, or a missing file.
    """
    modules = read_modules(source)
    rows = []
    for index, (kind, path) in enumerate(modules):
        written = kind.removeprefix("Mean")
        name = "" if kind == "Transformer" else f"{index}_{written}"
        (target / name).mkdir(exist_ok=True)
        if kind in ("Transformer", "StaticEmbedding"):
            _write_network(path, target / name, static=kind == "StaticEmbedding")
        elif written == "Pooling":
            write_json(target / name / "config.json", _pooling(kind, path, read_json(target / "config.json")))
        elif kind == "Dense":
            _write_dense(path, target / name)
        elif kind != "Normalize":
            raise ModelFolderError(f"{path}: a module {kind} cannot be exported; known: Pooling, Dense, Normalize")
        rows.append({"idx": index, "name": str(index), "path": name, "type": f"{_TYPES}{written}"})
    write_json(target / "modules.json", rows)
    write_json(target / "config_sentence_transformers.json", _sentence_config(source))
    for pattern in ("README.md", "LICENSE*", "NOTICE*"):
        for path in source.glob(pattern):
            shutil.copyfile(path, target / path.name)


def _write_network(source: Path, target: Path, *, static: bool) -> None:
    weights = source / WEIGHTS
    if static:
        write_table(target, read_table(source), eight_bits=False)
    elif weights.is_file():
        shutil.copyfile(weights, target / WEIGHTS)
    else:
        raise ModelFolderError(f"{weights} is missing; an export starts from the full-precision weights")
    tokenizer = read_tokenizer(source)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if _lower_case(source):
        _make_lower_case(tokenizer)
    tokenizer.save(str(target / "tokenizer.json"))
    if static:
        return
    config = read_json(source / "config.json")
    write_json(target / "config.json", {**_CONFIG_DEFAULTS, **config})
    limit = read_max_seq_length(source, config)
    write_json(target / "sentence_bert_config.json", {"max_seq_length": limit, "do_lower_case": False})
    facts = _tokenizer_config(source, limit, json.loads(tokenizer.to_str()))
    write_json(target / "tokenizer_config.json", facts)
    write_json(target / "special_tokens_map.json", {name: facts[name] for name in _SPECIAL if facts.get(name)})


def _lower_case(source: Path) -> bool:
    path = source / "sentence_bert_config.json"
    return bool(read_json(path).get("do_lower_case")) if path.is_file() else False


def _make_lower_case(tokenizer: Any) -> None:
    """Let the tokenizer do what the flag ``do_lower_case`` asks for: only sentence-transformers knows the flag."""
    from tokenizers import normalizers

    steps = [normalizers.Lowercase(), *([tokenizer.normalizer] if tokenizer.normalizer is not None else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)


def _tokenizer_config(source: Path, limit: int, tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (source / name).is_file():
            facts |= read_json(source / name)
    for key in _NEW_TOKENIZER_KEYS:
        facts.pop(key, None)
    for name in _SPECIAL:
        if isinstance(facts.get(name), Mapping):  # an AddedToken written out
            facts[name] = facts[name]["content"]
    # transformers 4 would set it to False otherwise, and split the first word in another way.
    before = tokenizer["pre_tokenizer"] or {}
    for step in before.get("pretokenizers", [before]):
        if "add_prefix_space" in step:
            facts["add_prefix_space"] = step["add_prefix_space"]
    # The class that takes tokenizer.json as it is, in transformers 4 and 5 alike.
    return dict(sorted({**facts, "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": limit}.items()))


def _pooling(kind: str, folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    facts = read_json(folder / "config.json") if kind == "Pooling" else {}
    modes = pooling_modes(folder) if kind == "Pooling" else ["mean"]
    width = facts.get("word_embedding_dimension", facts.get("embedding_dimension", config["hidden_size"]))
    flags = {flag: mode in modes for flag, mode in POOLING_FLAGS.items()}
    return {"word_embedding_dimension": width, **flags, "include_prompt": bool(facts.get("include_prompt", True))}


def _write_dense(source: Path, target: Path) -> None:
    facts = read_json(source / "config.json")
    keys = ("in_features", "out_features", "bias", "activation_function")
    write_json(target / "config.json", {key: facts[key] for key in keys if key in facts})
    if not (source / WEIGHTS).is_file():
        raise ModelFolderError(f"{source / WEIGHTS} is missing; the model folder is incomplete")
    shutil.copyfile(source / WEIGHTS, target / WEIGHTS)


def _sentence_config(source: Path) -> dict[str, Any]:
    path = source / "config_sentence_transformers.json"
    facts = read_json(path) if path.is_file() else {}
    prompts = {name: text for name, text in read_prompts(source).items() if text or name in facts.get("prompts", {})}
    kept = {key: facts.get(key) for key in ("default_prompt_name", "similarity_fn_name")}
    return {"prompts": prompts, **kept}
