"""Typed rows of training and evaluation data, and the report of how a file was read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, Literal, Protocol, TypeVar

Label = Literal["entailment", "neutral", "contradiction"]


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two sentences and how alike people found them; KorSTS and KLUE-STS score 0 to 5."""

    sentence1: str
    sentence2: str
    score: float

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentences of the row."""
        return self.sentence1, self.sentence2


@dataclass(frozen=True, slots=True)
class NliRow:
    """A premise, a hypothesis, and whether the one follows from the other."""

    premise: str
    hypothesis: str
    label: Label

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentences of the row."""
        return self.premise, self.hypothesis


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that belong together: question and document, title and body, Korean and English."""

    anchor: str
    positive: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the row."""
        return self.anchor, self.positive


@dataclass(frozen=True, slots=True)
class Triplet:
    """A text, one that is close to it and one that is not."""

    anchor: str
    positive: str
    negative: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the row."""
        return self.anchor, self.positive, self.negative


@dataclass(frozen=True, slots=True)
class LabeledText:
    """A text and its topic, or the paraphrase group it belongs to."""

    text: str
    label: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of the row."""
        return (self.text,)


class Row(Protocol):
    """What every kind of row has."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the row."""


RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True, slots=True)
class Dropped:
    """One row that was not kept."""

    line: int
    reason: str


@dataclass(frozen=True)
class RowReport:
    """What reading one file came to.

    :param sha256: of the file's bytes.
    :param read: rows in the file, the header and blank lines not counted.
    :param dropped: the rows left out, each with its line and the reason.
    :param duplicates: ``(line, line of its first copy)`` of rows that are exact copies; they are kept.
    """

    path: str
    sha256: str
    read: int
    kept: int
    dropped: tuple[Dropped, ...] = ()
    duplicates: tuple[tuple[int, int], ...] = ()

    def reasons(self) -> dict[str, int]:
        """Return how many rows were dropped for each reason, the most frequent first."""
        counts: dict[str, int] = {}
        for row in self.dropped:
            counts[row.reason] = counts.get(row.reason, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "read": self.read,
            "kept": self.kept,
            "dropped": [{"line": row.line, "reason": row.reason} for row in self.dropped],
            "reasons": self.reasons(),
            "duplicates": [{"line": line, "first": first} for line, first in self.duplicates],
        }


@dataclass(frozen=True)
class Rows(Generic[RowT]):
    """Rows in file order, where each came from, and the report of each file."""

    rows: tuple[RowT, ...]
    lines: tuple[int, ...]
    reports: tuple[RowReport, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[RowT]:
        return iter(self.rows)

    def __getitem__(self, position: int) -> RowT:
        return self.rows[position]

    def location(self, position: int) -> str:
        """Return ``file:line`` of the row at ``position``."""
        before = 0
        for report in self.reports:
            if position < before + report.kept:
                return f"{report.path}:{self.lines[position]}"
            before += report.kept
        raise IndexError(position)

    @staticmethod
    def join(*parts: Rows[RowT]) -> Rows[RowT]:
        """Put several files' rows behind each other."""
        return Rows(
            tuple(chain.from_iterable(part.rows for part in parts)),
            tuple(chain.from_iterable(part.lines for part in parts)),
            tuple(chain.from_iterable(part.reports for part in parts)),
        )
