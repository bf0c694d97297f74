"""A file of records with its embeddings on disk: more rows than memory holds, read twice rather than kept."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ._files import atomic_file
from .encoding import Embeddings, Encoder, TextReport, encode_stream
from .errors import InputError
from .records import Record, read_records
from .text import normalize

logger = logging.getLogger(__name__)

_SUFFIXES = (".jsonl", ".txt")


@dataclass(frozen=True, slots=True)
class Reader:
    """How to read the records of a source, again and again."""

    source: str
    text_field: str | None = None
    id_field: str | None = None
    encoding: str = "utf-8"

    def __iter__(self) -> Iterator[Record]:
        """Read the source from its start."""
        if self.source == "-":
            raise InputError("the input is read twice, which standard input cannot be; name a file")
        return read_records(self.source, text_field=self.text_field, id_field=self.id_field, encoding=self.encoding)


@dataclass(frozen=True, slots=True)
class Rows:
    """Every record's id, embedding ``(n, dim)`` and key: longest text first, then by content."""

    ids: Sequence[str]
    embeddings: Embeddings
    keys: Sequence[tuple[int, bytes]]


@contextmanager
def embedded(reader: Reader, encoder: Encoder) -> Iterator[Rows]:
    """Encode the records of ``reader``; the embeddings live in a temporary file until the block ends.

    :raises InputError: for an empty source or a repeated id.
    """
    ids: list[str] = []
    keys: list[tuple[int, bytes]] = []

    def texts() -> Iterator[str]:
        for record in reader:
            clean = normalize(record.text)
            ids.append(record.id)
            keys.append((-len(clean), hashlib.sha256(clean.encode()).digest()[:16]))
            yield record.text

    report = TextReport(encoder.max_seq_length)
    with tempfile.TemporaryDirectory(prefix="ko-st-") as folder:
        path = Path(folder) / "embeddings"
        with path.open("wb") as stream:
            for part in encode_stream(encoder, texts(), report):
                stream.write(part.tobytes())
        if not ids:
            raise InputError(f"{reader.source}: no records")
        if len(set(ids)) < len(ids):
            twice = Counter(ids).most_common(1)[0][0]
            raise InputError(f"{reader.source}: id {twice!r} occurs twice; ids must be unique")
        for line in report.lines():
            logger.warning(line.removesuffix("; on_truncation='chunk' reads them whole"))
        matrix = np.memmap(path, np.float32, "r", shape=(len(ids), encoder.dim))
        try:
            yield Rows(ids, matrix, keys)
        finally:
            del matrix  # an open map keeps the file from being removed on Windows


def texts(reader: Reader, rows: Collection[int]) -> dict[int, str]:
    """Return the texts of some rows."""
    return {row: record.text for row, record in enumerate(reader) if row in rows}


def writable(output: Path | None) -> None:
    """Refuse a kind of output file before any work is done.

    :raises InputError: for a suffix other than ``.jsonl`` and ``.txt``.
    """
    if output is not None and output.suffix not in _SUFFIXES:
        raise InputError(f"{output}: unknown kind of output {output.suffix!r}; use one of {', '.join(_SUFFIXES)}")


def write(reader: Reader, rows: Sequence[int], output: Path) -> None:
    """Write those records, in their order, as JSON objects or as lines of text.

    :raises OutputError: if it cannot be written; what was there before is intact.
    """
    wanted = set(rows)
    with atomic_file(output) as stream:
        for row, record in enumerate(reader):
            if row not in wanted:
                continue
            document = {"id": record.id, "text": record.text, **record.metadata}
            line = json.dumps(document, ensure_ascii=False, default=str) if output.suffix == ".jsonl" else record.text
            stream.write(f"{line}\n".encode())
