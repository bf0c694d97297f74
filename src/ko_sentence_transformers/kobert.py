"""KoBERT's tokenizer, from its SentencePiece model, for today's transformers.

KoBERT comes in two forms: ``skt/kobert-base-v1`` (``spiece.model``, whose ids are the model's) and
``monologg/kobert`` (``tokenizer_*.model`` for the pieces, ``vocab.txt`` for their ids). Both name a tokenizer
class that transformers no longer has or reads otherwise: every sentence becomes the same few unknown ids, and
training collapses without an error. Here the model file is read as it is and becomes a plain fast tokenizer;
:func:`check_tokenizer` refuses any tokenizer that does not know its texts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._extras import require
from ._files import atomic_folder, write_json
from .encoding import UNKNOWN_SHARE
from .errors import ModelError, ModelFolderError

SPECIAL = ("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]")
# The published example of both repositories: their 8,002 pieces must give these ids.
GOLDEN_TEXT = "한국어 모델을 공유합니다."
GOLDEN_IDS = (2, 4958, 6855, 2046, 7088, 1050, 7843, 54, 3)
_KOBERT_SIZE = 8002
_GOLDEN_FILE = "golden_ids.json"
_UNIGRAM, _BPE = 1, 2
_NORMAL, _UNKNOWN = 1, 2


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a SentencePiece model file holds: pieces in id order, with scores and types."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    types: tuple[int, ...]
    model_type: int
    charsmap: bytes
    dummy_prefix: bool


def piece_file(folder: Path) -> Path | None:
    """Return the SentencePiece model of a folder, None where there is none by KoBERT's names."""
    named = [folder / "spiece.model", *sorted(folder.glob("tokenizer*.model"))]
    return next((path for path in named if path.is_file()), None)


def is_kobert(folder: Path) -> bool:
    """Return whether a folder has KoBERT's tokenizer and no other: its specials are pieces of the model."""
    path = piece_file(folder)
    if path is None or (folder / "tokenizer.json").is_file():
        return False
    vocabulary = folder / "vocab.txt"
    known = vocabulary.read_text(encoding="utf-8").split("\n") if vocabulary.is_file() else read_pieces(path).pieces
    return set(SPECIAL) <= set(known)


def load_tokenizer(folder: str | Path) -> Any:
    """Return KoBERT's tokenizer as a ``PreTrainedTokenizerFast``: ``[CLS] text [SEP]``, cased.

    :param folder: holds ``spiece.model``, or ``tokenizer_*.model`` and ``vocab.txt``.
    :raises ModelFolderError: if the files are missing or damaged, or do not give the golden ids.
    """
    folder = Path(folder)
    path = piece_file(folder)
    if path is None:
        raise ModelFolderError(f"{folder}: no spiece.model or tokenizer_*.model; this is no KoBERT folder")
    pieces = read_pieces(path)
    order = _order(folder / "vocab.txt", pieces, path)
    tokenizer = _wrapped(_fast(pieces, order, path), pieces, order)
    if len(order) == _KOBERT_SIZE:
        _check_ids(tokenizer, GOLDEN_TEXT, GOLDEN_IDS, folder)
    return tokenizer


def convert_folder(folder: str | Path, target: Path) -> None:
    """Write a KoBERT folder as one that every reader loads: its own files, ``tokenizer.json``, golden ids.

    :raises ModelFolderError: as :func:`load_tokenizer`.
    :raises OutputError: if ``target`` exists or cannot be written.
    """
    folder = Path(folder)
    tokenizer = load_tokenizer(folder)
    left_out = ("tokenizer", "special_tokens", "added_tokens", "vocab.txt", "spiece.model")
    with atomic_folder(target) as aside:
        for path in folder.iterdir():
            if path.is_file() and not path.name.startswith(left_out):
                (aside / path.name).symlink_to(path.resolve())
        tokenizer.save_pretrained(str(aside))
        write_golden(tokenizer, aside)


def write_golden(tokenizer: Any, folder: Path) -> None:
    """Write the ids of a few Korean sentences beside a tokenizer, for :func:`check_golden`."""
    texts = (GOLDEN_TEXT, "오늘 서울의 날씨는 맑습니다.", "KorSTS 1,379개 문장", "나는 밥을 먹었다")
    write_json(folder / _GOLDEN_FILE, {text: list(tokenizer(text)["input_ids"]) for text in texts})


def check_golden(tokenizer: Any, folder: Path) -> None:
    """Compare a tokenizer with the ids stored beside it, where there are any.

    :raises ModelFolderError: if it tokenizes another way now.
    """
    import json

    path = folder / _GOLDEN_FILE
    if path.is_file():
        for text, ids in json.loads(path.read_text(encoding="utf-8")).items():
            _check_ids(tokenizer, text, tuple(ids), folder)


def check_tokenizer(tokenizer: Any, texts: Sequence[str], *, name: str) -> None:
    """Refuse a tokenizer that does not know its texts: a training on unknown tokens learns nothing.

    :param texts: some hundred of the texts that are to be trained on.
    :raises ModelError: if over a fifth of the tokens are unknown, or different texts get the same ids.
    """
    different = list(dict.fromkeys(texts))
    if not different:
        return
    rows = tokenizer(different, add_special_tokens=False, truncation=False)["input_ids"]
    total = sum(map(len, rows))
    unknown = sum(row.count(tokenizer.unk_token_id) for row in rows) if tokenizer.unk_token_id is not None else 0
    if not total or unknown / total > UNKNOWN_SHARE:
        raise ModelError(
            f"{name}: {unknown} of {total} tokens of the training texts are unknown to its tokenizer (as in "
            f"{different[0][:20]!r}); it does not fit the texts or was loaded wrongly; for KoBERT set "
            "model.tokenizer=kobert"
        )
    if len(different) > 1 and len({tuple(row) for row in rows}) == 1:
        raise ModelError(f"{name}: its tokenizer gives {len(different)} different texts the same ids")


def read_pieces(path: Path) -> Pieces:
    """Read a SentencePiece model file (a protocol buffer) without the sentencepiece library.

    :raises ModelFolderError: if it is cut off or not such a file.
    """
    pieces, model_type, charsmap, prefix = [], _UNIGRAM, b"", True
    try:
        for number, value in _fields(path.read_bytes()):
            if number == 1:
                item = dict(_fields(value))
                pieces.append((item[1].decode("utf-8"), _float(item.get(2, b"")), item.get(3, _NORMAL)))
            elif number == 2:
                model_type = dict(_fields(value)).get(3, _UNIGRAM)
            elif number == 3:
                settings = dict(_fields(value))
                charsmap, prefix = settings.get(2, b""), bool(settings.get(3, 1))
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError, struct.error) as error:
        raise ModelFolderError(f"{path}: not a SentencePiece model, or cut off: {error}") from error
    if not pieces:
        raise ModelFolderError(f"{path}: a SentencePiece model without pieces")
    names, scores, types = zip(*pieces, strict=True)
    return Pieces(names, scores, types, model_type, charsmap, prefix)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield ``(field number, value)`` of one protocol buffer message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"wire type {kind} at byte {at}")
        size = {1: 8, 5: 4}.get(kind, 0)
        if kind == 2:
            size, at = _varint(data, at)
        if at + size > len(data):
            raise ValueError(f"the data end inside a field at byte {at}")
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _float(raw: bytes) -> float:
    return float(struct.unpack("<f", raw)[0]) if raw else 0.0


def _order(vocabulary: Path, pieces: Pieces, path: Path) -> tuple[str, ...]:
    """Return the pieces in the order of the model's ids: ``vocab.txt`` where there is one."""
    order = pieces.pieces
    if vocabulary.is_file():
        order = tuple(vocabulary.read_text(encoding="utf-8").rstrip("\n").split("\n"))
        known = set(order)
        lost = [p for p, t in zip(pieces.pieces, pieces.types, strict=True) if t == _NORMAL and p not in known]
        if lost:
            raise ModelFolderError(f"{vocabulary}: {len(lost)} pieces of {path.name} are missing, as {lost[0]!r}")
    absent = [token for token in SPECIAL if token not in order]
    if absent:
        raise ModelFolderError(f"{path}: no {', '.join(absent)} among its pieces; this is no KoBERT")
    return order


def _fast(pieces: Pieces, order: tuple[str, ...], path: Path) -> Any:
    """Return a ``tokenizers.Tokenizer`` that segments as the SentencePiece model does."""
    tokenizers = require("tokenizers", extra="train")
    scores = dict(zip(pieces.pieces, pieces.scores, strict=True))
    ids = {piece: number for number, piece in enumerate(order)}
    if pieces.model_type == _UNIGRAM:
        vocabulary = [(piece, scores.get(piece, 0.0)) for piece in order]
        model = tokenizers.models.Unigram(vocabulary, unk_id=ids["[UNK]"], byte_fallback=False)
    elif pieces.model_type == _BPE:
        normal = {p: s for p, s, t in zip(pieces.pieces, pieces.scores, pieces.types, strict=True) if t == _NORMAL}
        model = tokenizers.models.BPE(ids, _merges(normal, ids), unk_token="[UNK]", fuse_unk=True)
    else:
        raise ModelFolderError(f"{path}: a SentencePiece model of type {pieces.model_type}; KoBERT's is 1 or 2")
    tokenizer = tokenizers.Tokenizer(model)
    steps = [tokenizers.normalizers.Precompiled(pieces.charsmap)] if pieces.charsmap else []
    steps.append(tokenizers.normalizers.Replace(tokenizers.Regex(" {2,}"), " "))
    steps.append(tokenizers.normalizers.Strip())
    tokenizer.normalizer = tokenizers.normalizers.Sequence(steps)
    scheme = "always" if pieces.dummy_prefix else "never"
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)
    tokenizer.decoder = tokenizers.decoders.Metaspace(replacement="▁", prepend_scheme=scheme)
    return tokenizer


def _merges(scores: dict[str, float], ids: dict[str, int]) -> list[tuple[str, str]]:
    """Return the merges of a BPE model, first the piece that it would make first (the highest score)."""
    merges = []
    for piece in sorted(scores, key=lambda p: -scores[p]):
        halves = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        inside = [(a, b) for a, b in halves if a in scores and b in scores]
        merges += sorted(inside, key=lambda pair: (ids[pair[0]], ids[pair[1]]))
    return merges


def _wrapped(tokenizer: Any, pieces: Pieces, order: tuple[str, ...]) -> Any:
    transformers = require("transformers", extra="train")
    processors = require("tokenizers", extra="train").processors
    ids = {token: order.index(token) for token in SPECIAL}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        padding_side="right",
        model_max_length=512,
    )


def _check_ids(tokenizer: Any, text: str, ids: tuple[int, ...], folder: Path) -> None:
    got = tuple(tokenizer(text)["input_ids"])
    if got != ids:
        raise ModelFolderError(f"{folder}: the tokenizer reads {text!r} as {got}, the golden ids are {ids}")
