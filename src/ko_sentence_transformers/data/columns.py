"""Columns: which of a file's columns holds which field of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from ..errors import InputError
from .raw import Cells, raw_rows

Columns = Mapping[str, str]
Kind = Literal["sts", "nli", "triplets", "pairs", "labels"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# The names each field has in the files there are, the first one found is taken; a dot looks inside an object.
FIELDS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "triplets": {"anchor": ("anchor", "query"), "positive": ("positive",), "negative": ("negative",)},
    "sts": {
        "sentence1": ("sentence1",),
        "sentence2": ("sentence2",),
        "score": ("score", "labels.real-label", "similarity_score"),
    },
    "nli": {
        "premise": ("premise", "sentence1"),
        "hypothesis": ("hypothesis", "sentence2"),
        "label": ("gold_label", "label"),
    },
    "pairs": {
        "anchor": ("anchor", "query", "question", "title", "ko"),
        "positive": ("positive", "doc", "document", "answer", "body", "text", "en"),
    },
    "labels": {"text": ("text", "sentence", "title"), "label": ("label", "group", "topic")},
}


class BadRow(ValueError):
    """Why a row cannot be kept."""


def parse_columns(pairs: Sequence[str]) -> dict[str, str]:
    """Turn ``["sentence1=질문", ...]`` into a column mapping.

    :raises InputError: for a pair without a name on both sides.
    """
    columns = {}
    for pair in pairs:
        field, equals, name = pair.partition("=")
        if not (field and equals and name):
            raise InputError(f"column mapping {pair!r} is not FIELD=NAME, such as sentence1=질문")
        columns[field] = name
    return columns


def detect_kind(path: str | Path, *, encoding: str = "utf-8") -> Kind:
    """Tell from the columns of its first row what kind of rows a file holds.

    :raises InputError: if they fit none.
    """
    for _, cells in raw_rows(Path(path), encoding):
        if isinstance(cells, str):
            continue
        for kind, fields in FIELDS.items():
            if all(any(_has(cells, name) for name in names) for names in fields.values()):
                return kind
        raise InputError(
            f"{path}: the columns {_names(cells)} fit no kind of rows; "
            f"name one with --kind ({', '.join(KINDS)}) and map its columns with --column"
        )
    raise InputError(f"{path}: no rows")


def choose_columns(path: Path, kind: Kind, cells: Cells, mapping: Columns | None) -> dict[str, str]:
    """Return field -> column name, from the mapping or the known names."""
    fields = FIELDS[kind]
    for field in mapping or {}:
        if field not in fields:
            raise InputError(f"no field {field!r} in {kind} rows; they have {', '.join(fields)}")
    chosen = {}
    for field, names in fields.items():
        wanted = (mapping[field],) if mapping and field in mapping else names
        name = next((name for name in wanted if _has(cells, name)), None)
        if name is None:
            raise InputError(
                f"{path}: no column {' or '.join(map(repr, wanted))} for {field}; "
                f"the file has {_names(cells)}; name one with --column {field}=NAME"
            )
        chosen[field] = name
    return chosen


def _has(cells: Cells, name: str) -> bool:
    try:
        cell(cells, name)
    except BadRow:
        return False
    return True


def cell(cells: Cells, name: str) -> Any:
    """Return the value of a column; ``labels.real-label`` looks inside an object.

    :raises BadRow: if the row has none.
    """
    if name in cells:
        return cells[name]
    value: Any = cells
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise BadRow(f"no field {name!r}")
        value = value[part]
    return value


def _names(cells: Cells) -> str:
    return ", ".join(list(cells)[:12]) or "none"
