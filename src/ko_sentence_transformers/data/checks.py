"""Checks of a data folder: are its files the published or downloaded ones, and are their rows sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .._files import sha256
from ..errors import InputError
from .catalog import list_datasets
from .download import read_manifest
from .readers import READERS
from .rows import RowReport

Checksum = Literal["published", "recorded", "other", "changed", "missing"]


@dataclass(frozen=True)
class FileCheck:
    """What is known of one file of a data folder.

    :param checksum: ``published`` or ``recorded`` where it is the pinned or the downloaded file; ``other``
        for a file under a known name with other content (an own copy); ``changed`` or ``missing`` where the
        manifest says that something else was downloaded.
    :param expected_rows: of the published file.
    """

    dataset: str
    split: str
    path: str
    checksum: Checksum
    expected_rows: int
    report: RowReport | None

    @property
    def ok(self) -> bool:
        """Whether nothing was lost or changed and every row could be read."""
        return self.report is not None and not self.report.dropped and self.checksum != "changed"

    def as_dict(self) -> dict[str, Any]:
        """Return the check as plain values."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "path": self.path,
            "ok": self.ok,
            "checksum": self.checksum,
            "expected_rows": self.expected_rows,
            "rows": self.report.as_dict() if self.report else None,
        }


def check_folder(folder: str | Path) -> tuple[FileCheck, ...]:
    """Check every file of a known data set in ``folder``, and every file that its manifest names.

    :raises InputError: if there is none, or a file cannot be read at all.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    checks = []
    for dataset in list_datasets():
        for split, files in dataset.splits.items():
            for file in files:
                recorded = manifest.get(file.path, {}).get("sha256")
                place = file.find(folder)
                if place is None:
                    if recorded is not None:
                        path = str(folder / file.path)
                        checks.append(FileCheck(dataset.name, split, path, "missing", file.rows, None))
                    continue
                found = sha256(place)
                checksum: Checksum = "other"
                if found == file.sha256:
                    checksum = "published"
                elif recorded is not None:
                    checksum = "recorded" if found == recorded else "changed"
                report = READERS[dataset.kind](place, on_bad_row="drop").reports[0]
                checks.append(FileCheck(dataset.name, split, str(place), checksum, file.rows, report))
    if not checks:
        names = ", ".join(file.path for dataset in list_datasets() for file in dataset.files[:1])
        raise InputError(f"{folder}: no file of a known data set (such as {names}); name a file")
    return tuple(checks)
