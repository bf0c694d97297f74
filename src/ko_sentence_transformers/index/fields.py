"""Metadata as filterable fields: flat names with texts and numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

# Longer metadata is kept but cannot be filtered by.
FIELD_CHARACTERS = 256


def fields(metadata: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str | float]]:
    """Yield what can be filtered by: nested names joined by dots, each member of a list, numbers in texts."""
    for name, value in metadata.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from fields(item, f"{prefix}{name}.")
            elif isinstance(item, bool):
                yield prefix + name, str(item).lower()
            elif isinstance(item, int | float):
                yield prefix + name, float(item)
            elif isinstance(item, str) and len(item) <= FIELD_CHARACTERS:
                yield prefix + name, item
                if (number := number_in(item)) is not None:
                    yield prefix + name, number


def number_in(text: str) -> float | None:
    """Return the number that a cell of a table holds as text, if it is one."""
    digits = text.strip().removeprefix("-")
    if not digits or len(digits) > 15 or not digits.replace(".", "", 1).isdecimal():
        return None
    return float(text)


def as_json(metadata: dict[str, Any]) -> str:
    """Return metadata as it is stored: dates and the like as texts, NaN (an empty cell of a table) as null."""
    return json.dumps(_plain(metadata), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)
