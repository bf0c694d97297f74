"""Korean text before any model sees it: normal forms and sentence ends. No model, no input or output.

Korean has two encodings of one syllable: precomposed (NFC, one code point) and a sequence of jamo (NFD, as
file names on macOS are). Every model here was trained on NFC, and NFD costs six to nine times the tokens, so
NFC is made at the boundary, for training and for encoding alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from .errors import InputError

# Characters that carry no text: byte order marks, zero-width spaces, other control characters.
_INVISIBLE = re.compile(r"[\ufeff\u200b\u2060\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPACES = re.compile(r"\s+")
# A sentence ends at . ! ? … and closing quotes before a space (not after a digit: "1. 목적"), at a Korean final
# ending with its mark where the space is missing ("썼다.이것도"), or at a line end.
_SENTENCE_END = re.compile(r"(?:[!?…。！？]|(?<![0-9])\.)+[\"'”’)\]」』]*(?=\s)|(?<=[다요죠까])[.!?]+(?=[가-힣])|\n+")


def normalize(text: str) -> str:
    """Return ``text`` as NFC, without invisible characters and with single spaces.

    :raises InputError: for a lone surrogate, which no encoding can hold.
    """
    if text.isprintable() and unicodedata.is_normalized("NFC", text):
        # Most texts: no character to remove, no space but the common one.
        return (re.sub(" +", " ", text) if "  " in text else text).strip(" ")
    if text.isascii():
        clean = text
    else:
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"lone surrogate U+{ord(text[error.start]):04X} at character {error.start}; "
                "the text was cut inside a character, fix its source"
            ) from error
        clean = text
    return _SPACES.sub(" ", _INVISIBLE.sub("", clean)).strip()


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield ``(start, end)`` character offsets of the sentences of ``text``, blank ones left out."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
