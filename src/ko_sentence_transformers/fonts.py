"""Fonts for plots: one that has Hangul, and what a font can draw at all. No box is ever drawn for a glyph."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._extras import require
from .errors import InputError

# Tried in this order; after them, any font on the system that has the glyphs.
_FONTS = (
    "Pretendard",
    "Noto Sans KR",
    "Noto Sans CJK KR",
    "NanumGothic",
    "NanumBarunGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "UnDotum",
)
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")


def find_hangul_font(text: str, font: str | Path | None = None) -> Any | None:
    """Return matplotlib font properties that have a glyph for every Hangul character of ``text``.

    :param font: look in this file only.
    :raises InputError: if ``font`` cannot be read or lacks one of them.
    """
    manager = require("matplotlib.font_manager", extra="plots")
    wanted = set(_HANGUL.findall(text))
    if font is not None:
        missing = _missing(Path(font), wanted)
        if missing:
            raise InputError(f"{font}: not a font with Hangul (no {missing[0]!r})")
        return manager.FontProperties(fname=str(font))
    for path in _candidates(manager):
        if not _missing(path, wanted):
            return manager.FontProperties(fname=str(path))
    return None


def drawable(text: str, font: Any | None) -> str:
    """Return ``text`` without the characters that ``font`` (matplotlib's own for None) would draw as boxes."""
    manager = require("matplotlib.font_manager", extra="plots")
    missing = _missing(Path(manager.findfont(font or manager.FontProperties())), set(text) - {" "})
    return " ".join("".join(character for character in text if character not in missing).split())


def _candidates(manager: Any) -> Iterator[Path]:
    """Yield font files: the usual Korean ones, then koreanize-matplotlib's, then every other of the system."""
    regular = [entry for entry in manager.fontManager.ttflist if entry.style == "normal"]
    for name in _FONTS:
        yield from (Path(entry.fname) for entry in regular if entry.name == name and entry.weight in (400, "normal"))
    # The package itself is not imported: that would change matplotlib for the whole process.
    spec = importlib.util.find_spec("koreanize_matplotlib")
    for folder in (spec.submodule_search_locations if spec else None) or []:
        yield from sorted(Path(folder, "fonts").glob("NanumGothic.ttf"))
    yield from (Path(entry.fname) for entry in regular)


def _missing(font: Path, characters: set[str]) -> list[str]:
    """Return the characters that a font file has no glyph for; all of them where it is no font."""
    ft2font = require("matplotlib.ft2font", extra="plots")
    try:
        glyphs = ft2font.FT2Font(str(font)).get_charmap()
    except (OSError, RuntimeError):
        return sorted(characters) or ["가"]
    return sorted(character for character in characters if ord(character) not in glyphs)
