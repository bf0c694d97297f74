"""Quality over speed, and which models no other one beats at both (extra ``plots``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ._extras import require
from .benchmarking import AGAINST, BenchmarkRow
from .errors import InputError
from .scatter import check_target, save_figure

_OURS, _OTHER = "#2a5d9f", "#9a9a9a"


def pareto_front(rows: Sequence[BenchmarkRow]) -> list[BenchmarkRow]:
    """Return the rows that no other one beats in speed and quality at once, slowest first; without quality, none."""
    front: list[BenchmarkRow] = []
    for row in sorted(rows, key=lambda row: row.sentences_per_second, reverse=True):
        if row.quality is not None and (not front or row.quality > (front[-1].quality or 0.0)):
            front.append(row)
    return front[::-1]


def plot_pareto(rows: Sequence[BenchmarkRow], path: str | Path) -> Path:
    """Draw KorSTS over sentences a second, the Pareto front as a line; PNG or SVG by the name of ``path``.

    :raises InputError: for another kind of file, or if no row has a quality.
    """
    path = check_target(path)
    known = [row for row in rows if row.quality is not None]
    if not known:
        raise InputError("no model states its quality: its folder has no scores.json with a KorSTS figure")
    figure = require("matplotlib.figure", extra="plots").Figure(figsize=(7, 4.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    front = pareto_front(known)
    axes.plot([row.sentences_per_second for row in front], [row.quality for row in front], color=_OURS, alpha=0.4)
    for row in known:
        other = row.engine in AGAINST
        color = _OTHER if other else _OURS
        axes.scatter(row.sentences_per_second, row.quality, s=36, color=color, zorder=3)
        axes.annotate(
            f"{Path(row.model).name}\n{row.engine}",
            (row.sentences_per_second, row.quality),
            # The same weights in another library lie at the same height: its name goes to the other side.
            xytext=(-6, -6) if other else (6, 5),
            ha="right" if other else "left",
            va="top" if other else "bottom",
            textcoords="offset points",
            fontsize=7,
        )
    axes.set_xscale("log")
    axes.margins(x=0.35, y=0.2)
    axes.grid(alpha=0.25)
    axes.set_xlabel("sentences per second (log)")
    axes.set_ylabel("KorSTS test, cosine Spearman x 100")
    return save_figure(figure, path)
