"""Chunks: stretches of a long text that end where sentences end, with some overlap."""

from __future__ import annotations

from collections.abc import Iterator

from ..text import sentences

# Korean text has about one and a half characters to a token, legal text fewer.
CHARACTERS_PER_TOKEN = 1.3
OVERLAP = 0.2


def size_for(max_seq_length: int) -> int:
    """Return how many characters of Korean a model of this input length reads whole."""
    return max(32, int(max_seq_length * CHARACTERS_PER_TOKEN))


def split(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Yield ``(start, stop)`` of chunks of at most ``size`` characters that cover every sentence of ``text``.

    A chunk begins with as many of the last sentences of the one before as fit in a fifth of it. A sentence longer
    than ``size`` is cut at spaces. A blank text is one empty chunk.
    """
    window: list[tuple[int, int]] = []
    for start, stop in _pieces(text, size):
        if window and stop - window[0][0] > size:
            yield window[0][0], window[-1][1]
            end = window[-1][1]
            window = [w for w in window if end - w[0] <= size * OVERLAP and stop - w[0] <= size]
        window.append((start, stop))
    if window:
        yield window[0][0], window[-1][1]
    else:
        yield 0, 0


def _pieces(text: str, size: int) -> Iterator[tuple[int, int]]:
    """Yield the sentences of ``text``, those longer than ``size`` in parts."""
    for start, stop in sentences(text):
        while stop - start > size:
            space = text.rfind(" ", start + size // 2, start + size)
            cut = space if space > 0 else start + size
            yield start, cut
            start = cut + (cut == space)
        if start < stop:
            yield start, stop
