"""Vocabulary trimming: a multilingual encoder without the pieces that a corpus never uses.

Most of a small multilingual model is its embedding table, and most of that table serves other languages. Trimming
keeps the rows that matter and renumbers the tokens. A covered text keeps its pieces, each piece its row, and so the
text its vector, bit by bit; that is checked on the whole corpus before anything is written. What gets smaller is the
file and the memory, not the time for a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._files import atomic_folder, write_json
from .encoding import Embeddings
from .errors import InputError, ModelError, ModelFolderError
from .export import write_full_precision
from .model_folder import find_folder, read_modules, read_prompts, read_tokenizer
from .pooling import read_json, read_safetensors
from .text import normalize

_BATCH = 4096
# What stands before a piece inside or at the start of a word, and the bytes of byte fallback.
_MARKS = re.compile(r"^(?:##|▁|Ġ)")
_HANGUL = re.compile(r"[가-힣ㄱ-ㆎ]+")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
# Weights with one row a piece: the table itself and the heads of language modelling.
_ROW_WEIGHTS = (
    "word_embeddings.weight",
    "embedding.weight",
    "predictions.decoder.weight",
    "predictions.decoder.bias",
    "predictions.bias",
    "lm_head.decoder.weight",
    "lm_head.decoder.bias",
    "lm_head.bias",
)


@dataclass(frozen=True, slots=True)
class TrimReport:
    """What was kept; ``tokens_*`` count the corpus (the same before and after, or nothing is written)."""

    path: Path
    texts: int
    pieces_before: int
    pieces_after: int
    tokens_before: int
    tokens_after: int
    size_mb_before: float
    size_mb_after: float

    def as_dict(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        return {**asdict(self), "path": str(self.path)}


def trim_model(
    name_or_path: str | Path,
    target: str | Path,
    texts: Iterable[str],
    *,
    keep_hangul: bool = False,
    revision: str | None = None,
    download: bool = False,
) -> TrimReport:
    """Write the model as the new folder ``target``, with the pieces that ``texts`` use and the special ones only.

    Single ASCII characters stay as well, and so do the model's prompts. ``target`` has no network file:
    :func:`ko_sentence_transformers.export.export_model` makes it.

    :param keep_hangul: keep every piece made of Hangul, used or not.
    :raises InputError: if there is no text.
    :raises ModelFolderError: for a tokenizer of an unknown kind.
    :raises ModelError: if a text would get other pieces than before; nothing is written then.
    :raises OutputError: if ``target`` exists or cannot be written.
    """
    corpus = [clean for clean in map(normalize, texts) if clean]
    if not corpus:
        raise InputError("the corpus holds no text; give a file with sentences of the kind to be encoded")
    source = find_folder(name_or_path, revision, download)
    target = Path(target)
    with atomic_folder(target) as aside:
        write_full_precision(source, aside)
        before = _size(aside)
        network = read_modules(aside)[0][1]
        prompts = [prompt for prompt in read_prompts(aside).values() if prompt]
        tokenizer = read_tokenizer(network)
        ids = _token_ids(tokenizer, corpus)
        used = {
            *np.unique(ids).tolist(),
            *_token_ids(tokenizer, [f"{prompt}{corpus[0]}" for prompt in prompts]).tolist(),
        }
        document = json.loads((network / "tokenizer.json").read_text(encoding="utf-8"))
        config = read_json(network / "config.json") if (network / "config.json").is_file() else {}
        kept = _kept_ids(document, config, used, keep_hangul=keep_hangul)
        write_json(network / "tokenizer.json", _trimmed_tokenizer(document, kept))
        after = _token_ids(read_tokenizer(network), corpus)
        if not np.array_equal(np.asarray(kept)[after] if len(after) == len(ids) else after, ids):
            raise ModelError(
                "the trimmed tokenizer splits the corpus in another way; this vocabulary cannot be trimmed"
            )
        _trim_weights(network / "model.safetensors", kept)
        if config:
            write_json(network / "config.json", _trimmed_config(config, kept))
        size = _size(aside)
    return TrimReport(target, len(corpus), tokenizer.get_vocab_size(), len(kept), len(ids), len(after), before, size)


def _token_ids(tokenizer: Any, texts: Sequence[str]) -> NDArray[np.int64]:
    """Return the ids of all texts in a row, special tokens included."""
    parts = [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(texts), _BATCH):
        for encoding in tokenizer.encode_batch_fast(list(texts[start : start + _BATCH])):
            parts.append(np.asarray(encoding.ids, dtype=np.int64))
    return np.concatenate(parts)


def _kept_ids(
    document: Mapping[str, Any], config: Mapping[str, Any], used: set[int], *, keep_hangul: bool
) -> list[int]:
    """Return the old ids that stay, ascending: the place in this list is the new id."""
    pieces = _pieces(document)
    kept = used | {int(token["id"]) for token in document["added_tokens"]} | set(_ids_in(document["post_processor"]))
    unknown = document["model"].get("unk_id")
    if unknown is None:
        unknown = pieces.get(document["model"].get("unk_token"))
    if unknown is not None:
        kept.add(unknown)
    # RoBERTa counts positions from the padding's id, so that id must stay what it is.
    kept |= set(range(int(config.get("pad_token_id") or 0) + 1))
    byte_level = '"ByteLevel"' in json.dumps([document["pre_tokenizer"], document["decoder"]])
    for piece, identity in pieces.items():
        body = _MARKS.sub("", piece)
        if (
            (len(body) == 1 and body.isascii())
            or (byte_level and len(piece) == 1)
            or _BYTE.fullmatch(piece)
            or (keep_hangul and _HANGUL.fullmatch(body))
        ):
            kept.add(identity)
    if document["model"]["type"] == "BPE":
        kept |= _merged_from(document["model"], pieces, kept)
    return sorted(kept)


def _pieces(document: Mapping[str, Any]) -> dict[str, int]:
    model = document["model"]
    if model["type"] == "Unigram":
        return {piece: identity for identity, (piece, _) in enumerate(model["vocab"])}
    if model["type"] in ("WordPiece", "WordLevel", "BPE"):
        return dict(model["vocab"])
    raise ModelFolderError(f"a {model['type']} tokenizer cannot be trimmed; known: Unigram, WordPiece, WordLevel, BPE")


def _merges(model: Mapping[str, Any]) -> Iterator[tuple[Any, str, str, str]]:
    """Yield ``(merge as written, left, right, what they make)``."""
    prefix = model.get("continuing_subword_prefix") or ""
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        yield merge, left, right, left + right.removeprefix(prefix)


def _merged_from(model: Mapping[str, Any], pieces: Mapping[str, int], kept: set[int]) -> set[int]:
    """Return the pieces that the kept ones are merged from, step by step; without them they are never made."""
    made_of: dict[int, list[int]] = {}
    for _, left, right, product in _merges(model):
        made_of.setdefault(pieces[product], []).extend((pieces[left], pieces[right]))
    needed: set[int] = set()
    waiting = list(kept)
    while waiting:
        for part in made_of.get(waiting.pop(), ()):
            if part not in needed:
                needed.add(part)
                waiting.append(part)
    return needed


def _ids_in(processor: Mapping[str, Any] | None) -> Iterator[int]:
    """Yield the ids that a post-processor puts around a text."""
    if not processor:
        return
    for part in processor.get("processors", ()):
        yield from _ids_in(part)
    for token in processor.get("special_tokens", {}).values():
        yield from token["ids"]
    for name in ("cls", "sep"):
        if name in processor:
            yield processor[name][1]


def _trimmed_tokenizer(document: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    new = {old: position for position, old in enumerate(kept)}
    model = dict(document["model"])
    if model["type"] == "Unigram":
        model["vocab"] = [model["vocab"][old] for old in kept if old < len(model["vocab"])]
        if model.get("unk_id") is not None:
            model["unk_id"] = new[model["unk_id"]]
    else:
        pieces = {piece: old for piece, old in model["vocab"].items() if old in new}
        model["vocab"] = {piece: new[old] for piece, old in sorted(pieces.items(), key=lambda item: item[1])}
        if model["type"] == "BPE":
            model["merges"] = [
                merge
                for merge, left, right, product in _merges(model)
                if left in pieces and right in pieces and product in pieces
            ]
    added = [{**token, "id": new[token["id"]]} for token in document["added_tokens"]]
    processor = _renumbered(document["post_processor"], new)
    return {**document, "added_tokens": added, "model": model, "post_processor": processor}


def _renumbered(processor: dict[str, Any] | None, new: Mapping[int, int]) -> dict[str, Any] | None:
    if not processor:
        return processor
    out = dict(processor)
    if "processors" in out:
        out["processors"] = [_renumbered(part, new) for part in out["processors"]]
    if "special_tokens" in out:
        out["special_tokens"] = {
            name: {**token, "ids": [new[old] for old in token["ids"]]} for name, token in out["special_tokens"].items()
        }
    for name in ("cls", "sep"):
        if name in out:
            out[name] = [out[name][0], new[out[name][1]]]
    return out


def _trimmed_config(config: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    new = {old: position for position, old in enumerate(kept)}
    out = {**config, "vocab_size": len(kept)}
    for key, value in config.items():
        if key.endswith("_token_id") and isinstance(value, int) and value in new:
            out[key] = new[value]
    return out


def _trim_weights(path: Path, kept: Sequence[int]) -> None:
    from safetensors.numpy import save_file

    weights = read_safetensors(path)
    tables = [name for name in weights if name.endswith(_ROW_WEIGHTS) or name == "embeddings"]
    if not tables:
        raise ModelFolderError(f"{path.name} holds no word_embeddings.weight; the model folder is of another form")
    for name in tables:
        table: Embeddings = weights[name]
        if len(table) <= kept[-1]:
            raise ModelFolderError(f"{path.name}: {name} has {len(table)} rows, the tokenizer needs {kept[-1] + 1}")
        weights[name] = np.ascontiguousarray(table[kept])
    path.unlink()
    save_file(weights, path, metadata={"format": "pt"})


def _size(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 2)
