"""The public data sets as typed rows, from a folder that holds their files or from one file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..errors import InputError
from .catalog import get_dataset
from .readers import OnBadRow, read_nli, read_scored_pairs
from .rows import NliRow, Rows, ScoredPair

Split = Literal["train", "dev", "test"]


def korsts(folder_or_file: str | Path, split: Split = "test", *, on_bad_row: OnBadRow = "error") -> Rows[ScoredPair]:
    """Read a split of KorSTS from a folder that holds KorNLU's files, or from the file itself.

    :raises InputError: if the folder has no such file; the names looked for are in the message.
    """
    return _scored("korsts", folder_or_file, split, on_bad_row)


def klue_sts(folder_or_file: str | Path, split: Split = "dev", *, on_bad_row: OnBadRow = "error") -> Rows[ScoredPair]:
    """Read a split of KLUE-STS (the exact mean score of its annotators); as :func:`korsts`."""
    return _scored("klue-sts", folder_or_file, split, on_bad_row)


def kornli(folder_or_file: str | Path, split: Split = "train", *, on_bad_row: OnBadRow = "error") -> Rows[NliRow]:
    """Read a split of KorNLI; ``train`` is SNLI, then MultiNLI. As :func:`korsts`."""
    return _nli("kornli", folder_or_file, split, on_bad_row)


def klue_nli(folder_or_file: str | Path, split: Split = "train", *, on_bad_row: OnBadRow = "error") -> Rows[NliRow]:
    """Read a split of KLUE-NLI; as :func:`korsts`."""
    return _nli("klue-nli", folder_or_file, split, on_bad_row)


def find_files(name: str, folder_or_file: str | Path, split: str) -> tuple[Path, ...]:
    """Return the files of one split: the file itself, or those in the folder, under any of their names.

    :raises InputError: for an unknown split or a missing file; the names looked for are in the message.
    """
    dataset, path = get_dataset(name), Path(folder_or_file)
    if split not in dataset.splits:
        raise InputError(f"{name} has no split {split!r}; it has {', '.join(dataset.splits)}")
    if path.is_file():
        return (path,)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    found = []
    for file in dataset.splits[split]:
        if (place := file.find(path)) is None:
            names = ", ".join((file.path, Path(file.path).name, *file.also))
            raise InputError(f"{path}: no {name} {split} file; looked for {names}")
        found.append(place)
    return tuple(found)


def _scored(name: str, place: str | Path, split: str, on_bad_row: OnBadRow) -> Rows[ScoredPair]:
    return Rows.join(*(read_scored_pairs(path, on_bad_row=on_bad_row) for path in find_files(name, place, split)))


def _nli(name: str, place: str | Path, split: str, on_bad_row: OnBadRow) -> Rows[NliRow]:
    return Rows.join(*(read_nli(path, on_bad_row=on_bad_row) for path in find_files(name, place, split)))
