"""The scatter plot of scores (extra ``plots``), with a font that has Hangul, or in English without one."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np

from ._extras import require
from ._files import atomic_file
from .errors import InputError
from .evaluation import Score
from .fonts import drawable, find_hangul_font
from .text import normalize

logger = logging.getLogger(__name__)

SUFFIXES = (".png", ".svg")
_LABELS = {
    "ko": ("사람이 매긴 점수", "코사인 유사도", "스피어만"),
    "en": ("score given by people", "cosine similarity", "Spearman"),
}


def plot_scatter(score: Score, path: str | Path, *, title: str = "", font: str | Path | None = None) -> Path:
    """Draw cosine against the score people gave, one point a pair; PNG or SVG by the name of ``path``.

    :param title: of the plot; the task by default.
    :param font: a font file with Hangul, where the system has none.
    :raises InputError: for another kind of file, a task without pairs, or a font without Hangul.
    """
    path = check_target(path)
    if score.points is None:
        raise InputError(f"task {score.task} has no pairs of sentences to plot; korsts, klue-sts and pairs have")
    figure_module = require("matplotlib.figure", extra="plots")
    title = normalize(title)
    hangul = find_hangul_font("".join((*_LABELS["ko"], title)), font)
    if hangul is None:
        logger.warning("no font with Hangul on this system: the plot is labelled in English; name one with --font")
    title = drawable(title, hangul)
    gold_label, cosine_label, name = _LABELS["ko" if hangul is not None else "en"]
    gold, cosine = score.points
    figure = figure_module.Figure(figsize=(6, 4.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    # Many pairs share a score: a little jitter, the same every time, keeps them apart.
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, len(gold)) * np.ptp(gold)
    axes.scatter(gold + jitter, cosine, s=8, alpha=0.35, linewidths=0, color="#2a5d9f", rasterized=True)
    axes.grid(alpha=0.25)
    style = {"font": hangul} if hangul is not None else {}
    axes.set_xlabel(gold_label, **style)
    axes.set_ylabel(cosine_label, **style)
    main = f"{name} {score.metrics[score.main]:.2f}" if score.main == "cosine_spearman" else ""
    axes.set_title("  ".join(part for part in (title or score.task, main, f"n = {score.n:,}") if part), **style)
    return save_figure(figure, path)


def check_target(path: str | Path) -> Path:
    """Return where a plot goes, sure that it can be drawn.

    :raises InputError: for a kind of file that is not drawn.
    :raises MissingExtraError: if matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: a plot is {' or '.join(SUFFIXES)}")
    require("matplotlib.figure", extra="plots")
    return path


def save_figure(figure: Any, path: Path) -> Path:
    """Write a matplotlib figure as the kind of file ``path`` names; the same figure is the same file."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
    figure.savefig(buffer, format=path.suffix[1:].lower(), metadata=metadata)
    with atomic_file(path) as stream:
        stream.write(buffer.getvalue())
    return path
