"""The public data sets: their files, pinned revisions and checksums, and their names in a data folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import InputError

_KORNLU = "https://raw.githubusercontent.com/kakaobrain/KorNLUDatasets/0df0fe7d496eb61b092e022e238c2230b29f1cbc/"
# KLUE v1.1 has the rows of v1 for these two tasks; this is the revision whose checksums are published.
_KLUE = "https://raw.githubusercontent.com/KLUE-benchmark/KLUE/ab22cd5cfdd6b527a9a4e2d177f9dacb85ddde2c/klue_benchmark/"


@dataclass(frozen=True)
class DataFile:
    """One file of a data set.

    :param path: where it lies in a data folder; the last part is the source's own name.
    :param also: other names it is found by.
    :param size: in bytes.
    :param sha256: of the bytes at ``url``, as tfds-korean published it for the pinned revision; without one,
        the checksum of the first download is recorded and compared from then on.
    """

    path: str
    url: str
    rows: int
    size: int
    sha256: str | None
    also: tuple[str, ...] = ()

    def find(self, folder: Path) -> Path | None:
        """Return the file in ``folder`` under any of its names."""
        for name in (self.path, Path(self.path).name, *self.also):
            if (folder / name).is_file():
                return folder / name
        return None


@dataclass(frozen=True)
class Dataset:
    """A public data set: what it is, who may use it how, and its files by split."""

    name: str
    kind: Literal["sts", "nli"]
    description: str
    licence: str
    homepage: str
    splits: Mapping[str, tuple[DataFile, ...]]

    @property
    def files(self) -> tuple[DataFile, ...]:
        """All its files."""
        return tuple(file for files in self.splits.values() for file in files)

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "description": self.description,
            "licence": self.licence,
            "homepage": self.homepage,
            "splits": {split: sum(file.rows for file in files) for split, files in self.splits.items()},
            "files": [
                {"path": f.path, "rows": f.rows, "size": f.size, "sha256": f.sha256, "url": f.url} for f in self.files
            ],
        }


def _kornlu(path: str, rows: int, size: int, digest: str, *also: str) -> DataFile:
    return DataFile(path, _KORNLU + path, rows, size, digest, also)


def _klue(task: str, split: str, rows: int, size: int, digest: str) -> DataFile:
    folder, name = f"klue-{task}-v1", f"klue-{task}-v1_{split}.json"
    new = f"klue-{task}-v1.1/klue-{task}-v1.1_{split}.json"
    also = (new, Path(new).name, f"klue_{task}_{split}.tsv")
    return DataFile(f"{folder}/{name}", f"{_KLUE}{folder}/{name}", rows, size, digest, also)


_SHARE_ALIKE = "CC BY-SA 4.0"
DATASETS: tuple[Dataset, ...] = (
    Dataset(
        "korsts",
        "sts",
        "Korean STS-B, scores 0 to 5; train machine-translated, dev and test by people (Ham et al. 2020)",
        _SHARE_ALIKE,
        "https://github.com/kakaobrain/KorNLUDatasets",
        {
            "train": (
                _kornlu(
                    "KorSTS/sts-train.tsv",
                    5749,
                    1046952,
                    "b5aaa7f957d6ff46f4b6834a8b0f024a9234a6eefe9289aed66746b4533da3b8",
                    "korsts_train.tsv",
                ),
            ),
            "dev": (
                _kornlu(
                    "KorSTS/sts-dev.tsv",
                    1500,
                    307276,
                    "d835b65b424401fbcce6be28a78159df8d61f5b19977ea7a0b83b8cb6105f393",
                    "korsts_dev.tsv",
                ),
            ),
            "test": (
                _kornlu(
                    "KorSTS/sts-test.tsv",
                    1379,
                    249596,
                    "13f83a3440d9db52d134eb40303ce021b03264aa338fbf2871c8786ce04d2105",
                    "korsts_test.tsv",
                ),
            ),
        },
    ),
    Dataset(
        "kornli",
        "nli",
        "Korean SNLI and MultiNLI (machine-translated train), XNLI dev and test by people (Ham et al. 2020)",
        _SHARE_ALIKE,
        "https://github.com/kakaobrain/KorNLUDatasets",
        {
            "train": (
                _kornlu(
                    "KorNLI/snli_1.0_train.ko.tsv",
                    550152,
                    78486224,
                    "aaf12d8955fcda2b14319e5cabb9b31824c6f504aede460c975b518911f484c0",
                ),
                _kornlu(
                    "KorNLI/multinli.train.ko.tsv",
                    392702,
                    83550821,
                    "dca5bf65597af45b139a5fbc8aa3587b612b391446475617b8faa09e5dfcd349",
                ),
            ),
            "dev": (
                _kornlu(
                    "KorNLI/xnli.dev.ko.tsv",
                    2490,
                    511383,
                    "821fb1c1c2e538ac2724a6132da36ffa379eb9a542ceb89243b3cf711377382c",
                    "xnli_ko_dev.tsv",
                ),
            ),
            "test": (
                _kornlu(
                    "KorNLI/xnli.test.ko.tsv",
                    5010,
                    1032430,
                    "0db53cf8e182283a0d0404ec3fe1b15d1e29236d23d22082dc20d43067254b3e",
                    "xnli_ko_test.tsv",
                ),
            ),
        },
    ),
    Dataset(
        "klue-sts",
        "sts",
        "KLUE STS, native Korean, scores 0 to 5 (Park et al. 2021); the test part is not public",
        _SHARE_ALIKE,
        "https://github.com/KLUE-benchmark/KLUE",
        {
            "train": (
                _klue(
                    "sts",
                    "train",
                    11668,
                    10257839,
                    "9fd1d5d3af73bd06648283be00c87d1b6f6eee90e4854f285df68d0bd5ae91d8",
                ),
            ),
            "dev": (
                _klue(
                    "sts",
                    "dev",
                    519,
                    454638,
                    "b6a0ae0c370e21687f7eef0fdea872a328bb2ecbdb020c546cb870d28606bf80",
                ),
            ),
        },
    ),
    Dataset(
        "klue-nli",
        "nli",
        "KLUE NLI, written by people (Park et al. 2021); the test part is not public",
        _SHARE_ALIKE,
        "https://github.com/KLUE-benchmark/KLUE",
        {
            "train": (
                _klue(
                    "nli",
                    "train",
                    24998,
                    12576683,
                    "8d32e7e4ff97804a23f277fee8740f1341ac82e1c0c7b34f1be21952e4813996",
                ),
            ),
            "dev": (
                _klue(
                    "nli",
                    "dev",
                    3000,
                    1498298,
                    "0699db82be17766b26e199864e6260443e17ec6e91d1870e876419e388f245b1",
                ),
            ),
        },
    ),
)


def list_datasets() -> tuple[Dataset, ...]:
    """Return the data sets that can be read and downloaded by name."""
    return DATASETS


def get_dataset(name: str) -> Dataset:
    """Return a data set by name.

    :raises InputError: if there is none; the names are in the message.
    """
    for dataset in DATASETS:
        if dataset.name == name:
            return dataset
    raise InputError(f"no data set {name!r}; there are {', '.join(d.name for d in DATASETS)}")
