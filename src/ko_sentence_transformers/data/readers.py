"""Strict readers: a file of rows of one kind, with a report of every row that was left out.

A reader knows the column names of KorNLU, KLUE and this project's own files; other names are mapped with
``columns={"sentence1": "질문"}``. A bad row is an error that names its line, or, with ``on_bad_row="drop"``,
a line of the report. Texts come out as :func:`~ko_sentence_transformers.text.normalize` makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, get_args

from .._files import sha256
from ..errors import InputError, RecordError
from ..text import normalize
from .raw import Cells, raw_rows
from .rows import Dropped, Label, LabeledText, NliRow, Pair, RowReport, Rows, RowT, ScoredPair, Triplet

OnBadRow = Literal["error", "drop"]
Columns = Mapping[str, str]
Kind = Literal["sts", "nli", "triplets", "pairs", "labels"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LABELS: tuple[Label, ...] = get_args(Label)
# KLUE and KorNLI as the `datasets` library gives them: numbers for the labels.
_NUMBERED = dict(zip(("0", "1", "2"), LABELS, strict=True))

# The names each field has in the files there are, the first one found is taken; a dot looks inside an object.
_FIELDS: dict[Kind, dict[str, tuple[str, ...]]] = {
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


class _BadRow(ValueError):
    """Why a row cannot be kept."""


@dataclass(frozen=True)
class _Layout(Generic[RowT]):
    kind: Kind
    build: Callable[[Mapping[str, Any]], RowT]


def read_scored_pairs(
    path: str | Path,
    *,
    columns: Columns | None = None,
    score_range: tuple[float, float] = (0.0, 5.0),
    on_bad_row: OnBadRow = "error",
    encoding: str = "utf-8",
) -> Rows[ScoredPair]:
    """Read pairs with a score: KorSTS, KLUE-STS, or an own file with ``sentence1 sentence2 score``.

    :param columns: field name -> the column it has in the file, where that differs.
    :param score_range: lowest and highest score there may be; ``(0, 1)`` for binary pairs.
    :param on_bad_row: ``error`` at the first bad row, or ``drop`` them into the report.
    :raises InputError: for a file that cannot be read, a missing column, or a file without a usable row.
    :raises RecordError: for a bad row, with its line.
    """
    low, high = score_range

    def build(cells: Mapping[str, Any]) -> ScoredPair:
        try:
            score = float(cells["score"])
        except (TypeError, ValueError):
            raise _BadRow(f"score {cells['score']!r} is not a number") from None
        if not low <= score <= high:  # NaN too
            raise _BadRow(f"score {score:g} is outside {low:g} to {high:g}")
        return ScoredPair(_text(cells, "sentence1"), _text(cells, "sentence2"), score)

    return _read(Path(path), _Layout("sts", build), columns, on_bad_row, encoding)


def read_nli(
    path: str | Path,
    *,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "error",
    encoding: str = "utf-8",
) -> Rows[NliRow]:
    """Read premise, hypothesis and label: KorNLI, KLUE-NLI or an own file.

    Options as :func:`read_scored_pairs`.
    """

    def build(cells: Mapping[str, Any]) -> NliRow:
        given = str(cells["label"]).strip().lower()
        label = _NUMBERED.get(given, given)
        if label not in LABELS:
            raise _BadRow(f"unknown label {cells['label']!r}; the labels are {', '.join(LABELS)}")
        return NliRow(_text(cells, "premise"), _text(cells, "hypothesis"), label)

    return _read(Path(path), _Layout("nli", build), columns, on_bad_row, encoding)


def read_triplets(
    path: str | Path,
    *,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "error",
    encoding: str = "utf-8",
) -> Rows[Triplet]:
    """Read ``anchor positive negative``; options as :func:`read_scored_pairs`."""

    def build(cells: Mapping[str, Any]) -> Triplet:
        return Triplet(_text(cells, "anchor"), _text(cells, "positive"), _text(cells, "negative"))

    return _read(Path(path), _Layout("triplets", build), columns, on_bad_row, encoding)


def read_pairs(
    path: str | Path,
    *,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "error",
    encoding: str = "utf-8",
) -> Rows[Pair]:
    """Read texts that belong together (``anchor positive``, ``query doc``, ``ko en``, ``title body``).

    Options as :func:`read_scored_pairs`.
    """

    def build(cells: Mapping[str, Any]) -> Pair:
        return Pair(_text(cells, "anchor"), _text(cells, "positive"))

    return _read(Path(path), _Layout("pairs", build), columns, on_bad_row, encoding)


def read_labels(
    path: str | Path,
    *,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "error",
    encoding: str = "utf-8",
) -> Rows[LabeledText]:
    """Read texts with a topic or a paraphrase group (``text label``, ``group sentence``).

    Options as :func:`read_scored_pairs`.
    """

    def build(cells: Mapping[str, Any]) -> LabeledText:
        return LabeledText(_text(cells, "text"), _text(cells, "label"))

    return _read(Path(path), _Layout("labels", build), columns, on_bad_row, encoding)


READERS: dict[Kind, Callable[..., Rows[Any]]] = {
    "sts": read_scored_pairs,
    "nli": read_nli,
    "triplets": read_triplets,
    "pairs": read_pairs,
    "labels": read_labels,
}


def detect_kind(path: str | Path, *, encoding: str = "utf-8") -> Kind:
    """Tell from the columns of its first row what kind of rows a file holds.

    :raises InputError: if they fit none.
    """
    for _, cells in raw_rows(Path(path), encoding):
        if isinstance(cells, str):
            continue
        for kind, fields in _FIELDS.items():
            if all(any(_has(cells, name) for name in names) for names in fields.values()):
                return kind
        raise InputError(
            f"{path}: the columns {_names(cells)} fit no kind of rows; "
            f"name one with --kind ({', '.join(KINDS)}) and map its columns with --column"
        )
    raise InputError(f"{path}: no rows")


def _read(
    path: Path, layout: _Layout[RowT], columns: Columns | None, on_bad_row: OnBadRow, encoding: str
) -> Rows[RowT]:
    names: dict[str, str] | None = None
    rows: list[RowT] = []
    lines: list[int] = []
    dropped: list[Dropped] = []
    first_seen: dict[RowT, int] = {}
    duplicates: list[tuple[int, int]] = []
    for line, cells in raw_rows(path, encoding):
        try:
            if isinstance(cells, str):
                raise _BadRow(cells)
            if names is None:
                names = _columns(path, layout.kind, cells, columns)
            row = layout.build({field: _cell(cells, name) for field, name in names.items()})
        except _BadRow as error:
            if on_bad_row == "error":
                raise RecordError(f"{path}:{line}: {error}; fix the row, or drop such rows") from None
            dropped.append(Dropped(line, str(error)))
            continue
        if (first := first_seen.setdefault(row, line)) != line:
            duplicates.append((line, first))
        rows.append(row)
        lines.append(line)
    if not rows:
        why = f"; line {dropped[0].line}: {dropped[0].reason}" if dropped else ""
        raise InputError(f"{path}: no usable row{why}")
    report = RowReport(
        str(path), sha256(path), len(rows) + len(dropped), len(rows), tuple(dropped), tuple(duplicates)
    )
    return Rows(tuple(rows), tuple(lines), (report,))


def _columns(path: Path, kind: Kind, cells: Cells, mapping: Columns | None) -> dict[str, str]:
    """Return field -> column name, from the mapping or the known names."""
    fields = _FIELDS[kind]
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
        _cell(cells, name)
    except _BadRow:
        return False
    return True


def _cell(cells: Cells, name: str) -> Any:
    if name in cells:
        return cells[name]
    value: Any = cells
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise _BadRow(f"no field {name!r}")
        value = value[part]
    return value


def _text(cells: Mapping[str, Any], field: str) -> str:
    value = cells[field]
    if isinstance(value, int) and field == "label":
        value = str(value)
    if not isinstance(value, str):
        raise _BadRow(f"{field} is {'null' if value is None else type(value).__name__}, not a text")
    try:
        text = normalize(value)
    except InputError as error:
        raise _BadRow(f"{field}: {error}") from None
    if not text:
        raise _BadRow(f"{field} is empty")
    return text


def _names(cells: Cells) -> str:
    return ", ".join(list(cells)[:12]) or "none"
