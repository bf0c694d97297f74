"""Colours for topics: neighbours in the list differ in hue, all are readable on white and on black."""

from __future__ import annotations

import math

# The golden angle: however many hues are taken, the next falls into the widest gap.
_TURN = 137.508
_LIGHTNESS = (0.66, 0.58, 0.73)
GREY = "#9aa0a6"


def topic_colours(count: int) -> list[str]:
    """Return ``count`` colours as ``#rrggbb``."""
    return [_from_oklch(_LIGHTNESS[i % 3], 0.15, math.radians((255 + i * _TURN) % 360)) for i in range(count)]


def _from_oklch(lightness: float, chroma: float, hue: float) -> str:
    """Return the sRGB colour of an OKLCH one, with less chroma where the screen cannot show it.

    OKLCH (Ottosson, 2020) is used because equal steps in it look equal, which they do not in HSL.
    """
    while True:
        a, b = chroma * math.cos(hue), chroma * math.sin(hue)
        long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
        medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
        short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
        linear = (
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        )
        if all(-0.001 <= value <= 1.001 for value in linear) or chroma < 0.01:
            return "#" + "".join(f"{round(255 * _gamma(value)):02x}" for value in linear)
        chroma -= 0.01


def _gamma(value: float) -> float:
    value = min(1.0, max(0.0, value))
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
