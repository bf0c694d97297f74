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
from .columns import KINDS, BadRow, Columns, Kind, cell, choose_columns
from .raw import raw_rows
from .rows import Dropped, Label, LabeledText, NliRow, Pair, RowReport, Rows, RowT, ScoredPair, Triplet

OnBadRow = Literal["error", "drop"]

LABELS: tuple[Label, ...] = get_args(Label)
# KLUE and KorNLI as the `datasets` library gives them: numbers for the labels.
_NUMBERED = dict(zip(("0", "1", "2"), LABELS, strict=True))


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
            raise BadRow(f"score {cells['score']!r} is not a number") from None
        if not low <= score <= high:  # NaN too
            raise BadRow(f"score {score:g} is outside {low:g} to {high:g}")
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
            raise BadRow(f"unknown label {cells['label']!r}; the labels are {', '.join(LABELS)}")
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


def get_reader(kind: str) -> Callable[..., Rows[Any]]:
    """Return the reader of a kind of rows by its name.

    :raises InputError: if there is none; the names are in the message.
    """
    for name, reader in READERS.items():
        if name == kind:
            return reader
    raise InputError(f"no kind of rows {kind!r}; there are {', '.join(KINDS)}")


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
                raise BadRow(cells)
            if names is None:
                names = choose_columns(path, layout.kind, cells, columns)
            row = layout.build({field: cell(cells, name) for field, name in names.items()})
        except BadRow as error:
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
    report = RowReport(str(path), sha256(path), len(rows) + len(dropped), len(rows), tuple(dropped), tuple(duplicates))
    return Rows(tuple(rows), tuple(lines), (report,))


def _text(cells: Mapping[str, Any], field: str) -> str:
    value = cells[field]
    if isinstance(value, int) and field == "label":
        value = str(value)
    if not isinstance(value, str):
        raise BadRow(f"{field} is {'null' if value is None else type(value).__name__}, not a text")
    try:
        text = normalize(value)
    except InputError as error:
        raise BadRow(f"{field}: {error}") from None
    if not text:
        raise BadRow(f"{field} is empty")
    return text
