"""Topics over time: dates as people write them, counted by year, month or day."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from ..errors import InputError
from ..grouping import Labels

# 2024-05-01, 2024.5.1, 2024/05, 2024년 5월 1일, 20240501, 2024; a time of day may follow.
_DATE = re.compile(
    r"(?P<year>\d{4})(?:\s*[-./년]\s*(?P<month>\d{1,2})(?:\s*[-./월]\s*(?P<day>\d{1,2})\s*[일.]?)?\s*월?\.?)?\s*년?"
    r"(?:[T\s]+\d{1,2}:\d{2}.*)?"
)
_COMPACT = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})")
# Days of the whole span from which days, and then months, are too fine to read.
MONTHS_FROM, YEARS_FROM = 92, 365 * 5


def parse_date(value: Any) -> date | None:
    """Return the day that ``value`` names (the first of a month or year), None for a blank.

    :raises InputError: if it names no day.
    """
    if isinstance(value, datetime):  # is a date too, but does not compare with one
        return value.date()
    if value is None or isinstance(value, date):
        return value
    text = str(value).strip()
    if not text:
        return None
    match = _COMPACT.fullmatch(text) or _DATE.fullmatch(text)
    if match:
        year, month, day = (int(part or 1) for part in match.group("year", "month", "day"))
        try:
            return date(year, month, day)
        except ValueError:
            pass
    raise InputError(f"{text[:40]!r} is no date; write it as 2024-05-01, 2024.05 or 2024")


def timeline(dates: Sequence[date | None], labels: Labels) -> list[dict[str, Any]]:
    """Return ``{"period", "topic", "size"}`` for each period and topic with texts, in order of time.

    :param dates: of each text; None is left out.
    :param labels: ``(len(dates),)``; -1 counts as a topic of its own.
    """
    known = [day for day in dates if day]
    if not known:
        return []
    span = (max(known) - min(known)).days
    width = 4 if span >= YEARS_FROM else 7 if span >= MONTHS_FROM else 10
    counts = Counter((day.isoformat()[:width], int(label)) for day, label in zip(dates, labels, strict=True) if day)
    return [{"period": period, "topic": topic, "size": n} for (period, topic), n in sorted(counts.items())]
