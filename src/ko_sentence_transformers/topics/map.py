"""The map: one HTML file that needs no network, with the texts as points and the topics as colours."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoding import Embeddings
from ..grouping import Labels
from .colours import GREY, topic_colours
from .describe import Topic

# Coordinates are sent as 16-bit integers: far finer than a screen, a third of the size of digits.
GRID = 65535
# Characters of a text that the map keeps, so that 100,000 texts stay a file a browser opens at once.
TEXT_LENGTH, LONG_LIST, SHORT_LENGTH = 300, 20_000, 120


@dataclass(frozen=True)
class View:
    """What a map shows.

    :param xy: ``(n, 2)``; a row of NaN is not drawn.
    :param labels: ``(n,)`` topic numbers, -1 for none.
    :param periods: rows of :func:`~ko_sentence_transformers.topics.timeline.timeline`, may be empty.
    """

    title: str
    xy: Embeddings
    labels: Labels
    texts: Sequence[str]
    topics: Sequence[Topic]
    periods: Sequence[dict[str, Any]]

    def drawn(self) -> NDArray[np.intp]:
        """Return the rows that have a place on the map."""
        return np.flatnonzero(np.isfinite(self.xy).all(axis=1))

    def rows(self) -> Labels:
        """Return the position in ``topics`` of each text, -1 for none."""
        place = {topic.topic: at for at, topic in enumerate(self.topics)}
        return np.array([place.get(number, -1) for number in self.labels.tolist()], dtype=np.int64)


def write_map(path: Path, view: View) -> None:
    """Write ``view`` as one HTML file; it may be opened from a disk or a mail."""
    template = files(__package__).joinpath("map.html").read_text("utf-8")
    # "<" must not appear in the data: a text with </script> would end it.
    data = json.dumps(_data(view), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    page = template.replace("__TITLE__", escape(view.title)).replace("__DATA__", data)
    path.write_text(page, "utf-8", errors="replace")


def _data(view: View) -> dict[str, Any]:
    drawn, rows = view.drawn(), view.rows()
    places = square(view.xy[drawn])
    length = TEXT_LENGTH if len(drawn) <= LONG_LIST else SHORT_LENGTH
    colours = topic_colours(len(view.topics))
    periods = sorted({row["period"] for row in view.periods})
    return {
        "title": view.title,
        "grey": GREY,
        "total": len(view.texts),
        "outside": int((view.labels < 0).sum()),
        "xy": _packed(places.astype("<u2")),
        "topic": _packed(rows[drawn].astype("<i2")),
        "texts": [_cut(view.texts[row], length) for row in drawn.tolist()],
        "periods": periods,
        "topics": [
            {
                "number": topic.topic,
                "name": topic.name,
                "size": topic.size,
                "words": list(topic.words[:8]),
                "colour": colours[at],
                "centre": middle(places[rows[drawn] == at]),
                "over_time": _over_time(view, topic.topic, periods),
            }
            for at, topic in enumerate(view.topics)
        ],
    }


def square(xy: Embeddings) -> NDArray[np.float64]:
    """Return the coordinates on a square of :data:`GRID` units, proportions kept, far-off points drawn in."""
    if not len(xy):
        return np.zeros((0, 2))
    # A handful of far-off points must not shrink all others: they are moved to the edge.
    low, high = np.percentile(xy, [0.2, 99.8], axis=0)
    low, high = (
        np.maximum(low - 0.2 * (high - low), xy.min(axis=0)),
        np.minimum(high + 0.2 * (high - low), xy.max(axis=0)),
    )
    points = np.clip(xy, low, high).astype(np.float64)
    width = max(float((high - low).max()), 1e-9)
    centre = (low + high) / 2
    square: NDArray[np.float64] = np.clip((points - centre) / width + 0.5, 0, 1) * GRID
    return square


def middle(places: NDArray[np.float64]) -> list[int]:
    """Return where a topic's name belongs: its member nearest to its median, so never between two halves."""
    if not len(places):
        return [GRID // 2, GRID // 2]
    median = np.median(places, axis=0)
    nearest = places[int(((places - median) ** 2).sum(axis=1).argmin())]
    return [int(value) for value in nearest]


def _over_time(view: View, number: int, periods: Sequence[str]) -> list[int]:
    sizes = {row["period"]: row["size"] for row in view.periods if row["topic"] == number}
    return [sizes.get(period, 0) for period in periods]


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
