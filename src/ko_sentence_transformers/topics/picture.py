"""The map as a PNG, for a report or a slide; with a font that has Hangul."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from ..fonts import find_hangul_font
from .colours import GREY, topic_colours
from .map import View, middle, square

logger = logging.getLogger(__name__)

NAMED_TOPICS = 24
_INK, _PAPER, _SOFT = "#1d1f23", "#ffffff", "#666b73"


def write_picture(path: Path, view: View) -> None:
    """Write ``view`` as a PNG of 1600 x 1200 points.

    Without a Korean font on the machine the names are left out (numbers stand for the topics), never boxes.
    """
    require("matplotlib", extra="topics")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    font = find_hangul_font("힣")
    drawn = view.drawn()
    places, rows = square(view.xy[drawn]), view.rows()[drawn]
    figure = Figure(figsize=(10, 7.5), dpi=160, facecolor=_PAPER)
    FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0.03, 0.03, 0.94, 0.86))
    axes.set_axis_off()
    _fit(axes, places, ratio=9.4 / 6.45)
    colours = np.array([*topic_colours(len(view.topics)), GREY])
    size = float(np.clip(40_000 / (len(drawn) + 1500), 1.0, 24))
    order = np.argsort(rows >= 0, kind="stable")  # outliers under the topics
    alpha = np.where(rows[order] >= 0, 0.75, 0.3)
    if len(drawn):
        axes.scatter(*places[order].T, s=size, c=colours[rows[order]], alpha=alpha, linewidths=0)
    if font is None:
        logger.warning("no Korean font found: map.png has numbers for names; install one (Debian: fonts-nanum)")
    _names(axes, view, places, rows, font)
    if font is not None:
        figure.text(0.04, 0.945, _short(view.title, 60), fontproperties=_sized(font, 17), color=_INK)
    outside = f" · {np.mean(view.labels < 0):.0%} outside" if (view.labels < 0).any() else ""
    facts = f"{len(view.texts):,} texts · {len(view.topics)} topics{outside}"
    figure.text(0.04, 0.915, facts, fontproperties=_sized(font, 10.5), color=_SOFT)
    figure.savefig(path, format="png", metadata={"Software": None})


def _fit(axes: Any, places: NDArray[np.float64], *, ratio: float) -> None:
    """Show all points, in proportion: a unit is as wide as it is high."""
    low, high = (places.min(axis=0), places.max(axis=0)) if len(places) else (np.zeros(2), np.ones(2))
    middle_x, middle_y = (low + high) / 2
    half = 0.54 * max(float(high[1] - low[1]), float(high[0] - low[0]) / ratio, 1.0)
    axes.set_xlim(middle_x - half * ratio, middle_x + half * ratio)
    axes.set_ylim(middle_y - half, middle_y + half)


def _names(axes: Any, view: View, places: NDArray[np.float64], rows: NDArray[np.int64], font: Any | None) -> None:
    """Write the names of the largest topics, moved up or down where they would cover each other."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground=_PAPER, alpha=0.9)]
    renderer = axes.figure.canvas.get_renderer()
    frame, to_data = axes.get_window_extent(renderer), axes.transData.inverted()
    taken: list[Any] = []
    for at, topic in enumerate(view.topics[:NAMED_TOPICS]):
        name = _short(topic.name, 28) if font is not None else str(topic.topic)
        place = middle(places[rows == at])
        text = axes.text(*place, name, ha="center", va="center", color=_INK, path_effects=halo)
        text.set_fontproperties(_sized(font, 10.5))
        box = text.get_window_extent(renderer)
        inwards = max(0.0, frame.x0 - box.x0) - max(0.0, box.x1 - frame.x1)
        for shift in (0, 1, -1, 2, -2, 3, -3):
            moved = box.translated(inwards, shift * box.height)
            if not any(moved.overlaps(other) for other in taken):
                taken.append(moved)
                text.set_position(to_data.transform(((moved.x0 + moved.x1) / 2, (moved.y0 + moved.y1) / 2)))
                break
        else:
            text.remove()


def _sized(font: Any | None, size: float) -> Any:
    from matplotlib.font_manager import FontProperties

    sized = font.copy() if font is not None else FontProperties()
    sized.set_size(size)
    return sized


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
