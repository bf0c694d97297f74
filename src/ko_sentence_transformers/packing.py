"""Several texts in one row: which texts share a row so that little of it is padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TokenIds = NDArray[np.int64]


@dataclass(frozen=True)
class PackedBatch:
    """Rows of token ids; ``texts`` says which text each segment is, in reading order."""

    input_ids: NDArray[np.int64]  # (rows, length)
    attention_mask: NDArray[np.int64]  # (rows, length): 0 for padding, 1, 2, ... for the texts of a row
    texts: NDArray[np.int64]  # (segments,)
    lengths: NDArray[np.int64]  # (segments,)


def fill_rows(lengths: NDArray[np.int64], capacity: int) -> list[list[int]]:
    """Return rows of text positions whose lengths sum to at most ``capacity``, longest texts first.

    Each row takes the longest text left and then, again and again, the longest that still fits. With
    ``capacity`` 0 every text has a row of its own.
    """
    by_length: dict[int, list[int]] = {}
    for position in np.argsort(-lengths, kind="stable").tolist():
        by_length.setdefault(int(lengths[position]), []).append(position)
    for positions in by_length.values():
        positions.reverse()  # so that pop() takes the first one
    rows: list[list[int]] = []
    sizes = sorted(by_length)  # lengths that still have texts
    while sizes:
        row: list[int] = []
        room = max(capacity, sizes[-1])
        while sizes and room >= sizes[0]:
            index = np.searchsorted(sizes, room, side="right") - 1
            size = sizes[index]
            row.append(by_length[size].pop())
            if not by_length[size]:
                del sizes[index]
            room -= size
            if not capacity:
                break
        rows.append(row)
    return rows


def pack(parts: Sequence[TokenIds], rows: Sequence[Sequence[int]], shape: tuple[int, int], pad_id: int) -> PackedBatch:
    """Lay the texts of each row side by side in an array of ``shape``; rows left over hold one padding token."""
    input_ids = np.full(shape, pad_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    mask[len(rows) :, 0] = 1
    texts = [position for row in rows for position in row]
    for r, row in enumerate(rows):
        column = 0
        for segment, position in enumerate(row, start=1):
            ids = parts[position]
            input_ids[r, column : column + len(ids)] = ids
            mask[r, column : column + len(ids)] = segment
            column += len(ids)
    lengths = np.fromiter((len(parts[position]) for position in texts), dtype=np.int64, count=len(texts))
    return PackedBatch(input_ids, mask, np.asarray(texts, dtype=np.int64), lengths)
