"""What a run came to: counts, times and correlations, as plain frozen values."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

from .data import RowReport, Rows, ScoredPair
from .scoring import score_sts

# The order of the published card's table.
METRICS = tuple(
    f"{how}_{what}" for how in ("cosine", "euclidean", "manhattan", "dot") for what in ("pearson", "spearman")
)
_PACKAGES = (
    "ko-sentence-transformers",
    "sentence-transformers",
    "transformers",
    "torch",
    "tokenizers",
    "datasets",
)
# split -> metric -> value x 100, and n
Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class SetReport:
    """One training set of a stage: rows after triplets and limits are made, and how they were learned."""

    name: str
    rows: int
    loss: str
    batch_size: int


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage of one seed; ``best_score`` is the dev Spearman x 100 of the step that was kept."""

    seed: int
    name: str
    steps: int
    steps_per_epoch: int
    warmup_steps: int
    evaluation_steps: int
    best_step: int
    best_score: float | None
    seconds: float
    sets: tuple[SetReport, ...]


@dataclass(frozen=True, slots=True)
class RunReport:
    """A whole run: scores of the base and of the result, its stages, its data and where it ran."""

    before: Scores
    after: Scores
    stages: tuple[StageReport, ...]
    data: tuple[RowReport, ...]
    precision: str
    device: str
    processes: int

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the scores as plain values."""
        return {
            "stages": [asdict(stage) for stage in self.stages],
            "data": [
                {
                    "file": PurePath(r.path).name,
                    "sha256": r.sha256,
                    "read": r.read,
                    "kept": r.kept,
                    "dropped": r.reasons(),
                }
                for r in self.data
            ],
            "precision": self.precision,
            "device": self.device,
            "processes": self.processes,
            "versions": versions(),
        }


def correlations(model: Any, rows: Rows[ScoredPair]) -> dict[str, float]:
    """Return the eight correlations of a SentenceTransformer with the scores, x 100, and ``n``.

    :raises ModelError: if the model finds every pair equally similar.
    """
    sides = ([row.sentence1 for row in rows], [row.sentence2 for row in rows])
    vectors = [model.encode(texts, batch_size=64, show_progress_bar=False) for texts in sides]
    found = score_sts(rows, vectors).metrics
    return {"n": len(rows), **{metric: round(100 * found[metric], 2) for metric in METRICS}}


def versions() -> dict[str, str]:
    """Return the versions of what a run depends on."""
    out = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return out
