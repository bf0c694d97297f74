"""Training sets: the rows that a recipe names, as columns of texts. No torch."""

from __future__ import annotations

import gzip
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .._files import sha256
from .._recipe_checks import KINDS
from ..data import NliRow, RowReport, Rows, ScoredPair, nli_triplets
from ..data.readers import OnBadRow, read_labels, read_nli, read_pairs, read_scored_pairs, read_triplets
from ..errors import InputError
from ..recipe import DataSet, Recipe, Stage
from ..records import decoded_lines, read_records
from ..text import normalize

logger = logging.getLogger(__name__)

Table = list[tuple[str, ...]]
_READERS: dict[str, Callable[..., Rows[Any]]] = {
    "nli": read_nli,
    "triplets": read_triplets,
    "pairs": read_pairs,
    "groups": read_labels,
}


@dataclass(frozen=True)
class TrainingSet:
    """Rows of one set of one stage.

    :param columns: text column -> one text a row.
    :param scores: ``(n,)`` cosines to reach (score / max_score), or None where the loss needs no score.
    :param reports: how each file was read.
    """

    name: str
    spec: DataSet
    loss: str
    batch_size: int
    columns: dict[str, tuple[str, ...]]
    scores: NDArray[np.float32] | None
    reports: tuple[RowReport, ...]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def contrastive(self) -> bool:
        """Whether the other rows of a batch are this row's negatives."""
        return self.loss == "mnrl"

    @property
    def prompts(self) -> dict[str, str]:
        """What is put before the texts of each column in training; columns without are left out."""
        found = {name: self.spec.prompts.get(name, self.spec.prompts.get("text", "")) for name in self.columns}
        return {name: prompt for name, prompt in found.items() if prompt}

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """``(n, 2)`` characters of the first text of each row and of the longest other one.

        The first column of a batch is padded alone, the others together.
        """
        sizes = np.array([[len(text) for text in column] for column in self.columns.values()], np.int64)
        others = sizes[1:].max(axis=0) if len(sizes) > 1 else np.zeros_like(sizes[0])
        return np.stack([sizes[0], others], axis=1)

    @cached_property
    def keys(self) -> list[tuple[int, ...]]:
        """A number for each different text, row by row: equal texts have equal numbers."""
        numbers: dict[str, int] = {}
        rows = zip(*self.columns.values(), strict=True)
        return [tuple(numbers.setdefault(text, len(numbers)) for text in row) for row in rows]

    def texts(self) -> Iterable[str]:
        """Yield every text, column by column."""
        for column in self.columns.values():
            yield from column


def load_sets(recipe: Recipe, stage: Stage, folder: Path, *, seed: int) -> list[TrainingSet]:
    """Read the sets of one stage from ``folder``.

    :param seed: draws triplets, pairs of groups and the rows of a ``limit``; the same seed, the same rows.
    :raises InputError: for a missing file or column, a bad row (its line is named), or a set without rows.
    """
    out = []
    for name in stage.sets:
        spec = recipe.data.sets[name]
        loss = recipe.loss_of(name, stage.train)
        size = spec.batch_size or stage.train.batch_size
        try:
            table, scores, reports = _pooled(recipe, spec, folder, seed) if spec.sets else _read(spec, folder, seed)
        except InputError as error:
            raise type(error)(f"set {name!r}: {error}") from error
        for report in reports:
            if report.dropped:
                logger.warning("%s: %d of %d rows dropped", report.path, len(report.dropped), report.read)
        columns = dict(zip(KINDS[spec.kind], map(tuple, zip(*table, strict=True)), strict=True))
        for column, limit in spec.max_chars.items():
            columns[column] = tuple(text[:limit] for text in columns[column])
        if loss == "mnrl" and spec.kind == "texts":
            columns = {"anchor": columns["text"], "positive": columns["text"]}
        out.append(TrainingSet(name, spec, loss, size, columns, scores, reports))
    return out


def _pooled(recipe: Recipe, spec: DataSet, folder: Path, seed: int) -> tuple[Table, None, tuple[RowReport, ...]]:
    """Return every different text of the sets that ``spec`` names."""
    texts: dict[tuple[str, ...], None] = {}
    reports: list[RowReport] = []
    for name in spec.sets:
        table, _, read = _read(recipe.data.sets[name], folder, seed)
        texts.update(((text,), None) for row in table for text in row)
        reports += read
    return list(texts), None, tuple(reports)


def read_scored(name: str, folder: Path) -> Rows[ScoredPair] | None:
    """Read the recipe's ``dev`` or ``test`` file; None where it names none.

    :raises InputError: if the file is missing or holds a bad row.
    """
    return read_scored_pairs(find_file(name, folder)) if name else None


def find_file(name: str, folder: Path) -> Path:
    """Return the file ``name`` of ``folder``, also if it lies there without its subfolder.

    :raises InputError: if it is not there.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; --data names the folder with the recipe's files")
    for path in (folder / name, folder / Path(name).name):
        if path.is_file():
            return path
    raise InputError(f"{folder / name}: no such file; the recipe reads it (ko-st recipes show lists all)")


def _read(spec: DataSet, folder: Path, seed: int) -> tuple[Table, NDArray[np.float32] | None, tuple[RowReport, ...]]:
    paths = [find_file(name, folder) for name in spec.files]
    draw = random.Random(seed)
    scores: list[float] | None = None
    if spec.kind == "texts":
        table, reports = _texts(paths)
    elif spec.kind == "sts" or (spec.kind == "pairs" and spec.min_score > float("-inf")):
        pairs = _scored(spec, paths)
        kept = [row for row in pairs if row.score >= spec.min_score]
        table, reports = [row.texts for row in kept], pairs.reports
        scores = [row.score / spec.max_score for row in kept] if spec.kind == "sts" else None
    else:
        rows = _rows(spec, paths)
        reports = rows.reports
        if spec.kind == "nli":
            table = [triplet.texts for triplet in nli_triplets(cast(Rows[NliRow], rows), seed=seed)]
        elif spec.kind == "groups":
            table = _group_pairs(rows, spec.per_group, draw)
        else:
            table = [row.texts for row in rows]
    if spec.skip_last:
        table, scores = table[: -spec.skip_last], scores and scores[: -spec.skip_last]
    if 0 < spec.limit < len(table):
        chosen = sorted(draw.sample(range(len(table)), spec.limit))
        table, scores = [table[i] for i in chosen], scores and [scores[i] for i in chosen]
    if not table:
        raise InputError(f"{', '.join(map(str, paths))}: no row is left; check min_score and skip_last")
    return table, None if scores is None else np.asarray(scores, np.float32), reports


def _scored(spec: DataSet, paths: Sequence[Path]) -> Rows[ScoredPair]:
    bad = cast(OnBadRow, spec.on_bad_row)
    scale = (0.0, spec.max_score)
    return Rows.join(*(read_scored_pairs(p, columns=spec.columns, score_range=scale, on_bad_row=bad) for p in paths))


def _rows(spec: DataSet, paths: Sequence[Path]) -> Rows[Any]:
    reader = _READERS[spec.kind]
    bad = cast(OnBadRow, spec.on_bad_row)
    return Rows.join(*(reader(path, columns=spec.columns, on_bad_row=bad) for path in paths))


def _group_pairs(rows: Rows[Any], per_group: int, draw: random.Random) -> Table:
    """Pair the members of each group at random, ``per_group`` pairs, no member twice."""
    groups: dict[str, dict[str, None]] = {}
    for row in rows:
        groups.setdefault(row.label, {})[row.text] = None
    table: Table = []
    for label in sorted(groups):
        members = sorted(groups[label])
        draw.shuffle(members)
        table += list(zip(members[0::2], members[1::2], strict=False))[:per_group]
    return table


def _texts(paths: Sequence[Path]) -> tuple[Table, tuple[RowReport, ...]]:
    """Read one text a line (or record), blank ones and copies left out."""
    table: dict[tuple[str, ...], None] = {}
    reports = []
    for path in paths:
        before, read = len(table), 0
        for text in _lines(path):
            read += 1
            if clean := normalize(text):
                table[(clean,)] = None
        reports.append(RowReport(str(path), sha256(path), read, len(table) - before))
    return list(table), tuple(reports)


def _lines(path: Path) -> Iterable[str]:
    if path.suffix != ".gz":
        yield from (record.text for record in read_records(path))
        return
    with gzip.open(path) as stream:
        yield from (line for _, line in decoded_lines(cast(Any, stream), str(path), "utf-8"))
