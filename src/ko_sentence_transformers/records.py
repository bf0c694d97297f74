"""Records: texts with an id and metadata, read from files one at a time.

A record comes from one line of ``.txt``, one object of ``.jsonl``, one row of ``.tsv``, ``.csv`` or
``.parquet``, or one ``.txt``/``.md`` file of a folder. ``-`` is standard input. TSV is read without quoting,
as KorNLU's files are written (the csv default silently joins rows at a stray quote); CSV with it.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ._extras import require
from .errors import InputError, RecordError

TEXT_FIELDS = ("text", "sentence", "content", "document", "body", "title")
ID_FIELDS = ("id", "_id", "docid", "doc_id")
_SUFFIXES = (".txt", ".jsonl", ".tsv", ".csv", ".parquet")
_NOT_TEXT = {b"\x1f\x8b": "gzip", b"PK": "zip", b"\x89P": "PNG", b"%P": "PDF", b"\x7fE": "a program"}


@dataclass(frozen=True, slots=True)
class Record:
    """One text of a corpus, with its id and whatever else its row held."""

    id: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def passage(self) -> str:
        """The text to embed for search: after its title, where the row has one (as BEIR's readers do)."""
        title = self.metadata.get("title")
        return f"{title} {self.text}" if isinstance(title, str) and title.strip() else self.text


def read_records(
    source: str | Path,
    *,
    text_field: str | None = None,
    id_field: str | None = None,
    encoding: str = "utf-8",
) -> Iterator[Record]:
    """Yield the records of ``source`` in order, reading it once and holding one at a time.

    :param source: a file, a folder of ``.txt`` and ``.md`` files, or ``-`` for lines of standard input.
    :param text_field: the field that holds the text; the first of :data:`TEXT_FIELDS` there is by default.
    :param id_field: the field that holds the id; ``id`` where there is one, else the row number from 0.
    :param encoding: of the bytes; ``utf-8`` unless the file says otherwise.
    :raises InputError: for a file that is missing, a folder without texts, or not text.
    :raises RecordError: for a line that cannot be read; its number is in the message.
    """
    if str(source) == "-":
        yield from _lines(sys.stdin.buffer, "standard input", encoding)
        return
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_dir():
        yield from _folder(path, encoding)
        return
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _rows(_parquet_rows(path), path, text_field, id_field)
        return
    if suffix not in _SUFFIXES:
        raise InputError(f"{path}: unknown kind of file {suffix!r}; use one of {', '.join(_SUFFIXES)}")
    with path.open("rb") as stream:
        if suffix == ".txt":
            yield from _lines(stream, str(path), encoding)
        else:
            reader = {".jsonl": _jsonl_rows, ".tsv": _tsv_rows, ".csv": _csv_rows}[suffix]
            yield from _rows(reader(stream, path, encoding), path, text_field, id_field)


def decoded_lines(stream: BinaryIO, name: str, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield ``(line number from 1, line without its end)`` of a binary stream.

    :raises InputError: where the bytes are not text, or are text in another encoding (which is named).
    """
    for number, raw in enumerate(_checked(stream, name, encoding), start=1):
        try:
            line = raw.decode(encoding)
        except UnicodeDecodeError as error:
            raise RecordError(f"{name}:{number}: not valid {encoding} at byte {error.start}{_hint(raw)}") from None
        except LookupError:
            raise InputError(f"unknown encoding {encoding!r}; try utf-8, cp949 or utf-16") from None
        if number == 1:
            line = line.removeprefix("\ufeff")
        yield number, line.rstrip("\r\n")


def _checked(stream: BinaryIO, name: str, encoding: str) -> Iterator[bytes]:
    """Yield raw lines, after a look at the first bytes for files that are not text in ``encoding``."""
    if encoding.lower().replace("_", "-").startswith("utf-16"):
        # Two-byte units: a newline byte is not a line end, so this one is decoded as a whole.
        try:
            yield from (line.encode(encoding) for line in stream.read().decode(encoding).splitlines())
        except UnicodeDecodeError as error:
            raise InputError(f"{name}: not valid {encoding} at byte {error.start}") from None
        return
    first = stream.readline()
    if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{name}: the file is UTF-16; read it with --input-encoding utf-16")
    for magic, kind in _NOT_TEXT.items():
        if first.startswith(magic):
            raise InputError(f"{name}: the file is {kind}, not text")
    if b"\x00" in first:
        raise InputError(f"{name}: binary data, not text")
    if first:
        yield first
    yield from stream


def _hint(raw: bytes) -> str:
    """Name the Korean encoding that reads these bytes, when there is one."""
    try:
        decoded = raw.decode("cp949")
    except UnicodeDecodeError:
        return ""
    return "; the file looks like CP949, read it with --input-encoding cp949" if _hangul(decoded) else ""


def _hangul(text: str) -> bool:
    return any("가" <= character <= "힣" for character in text)


def _lines(stream: BinaryIO, name: str, encoding: str) -> Iterator[Record]:
    for number, line in decoded_lines(stream, name, encoding):
        yield Record(str(number - 1), line)


def _folder(path: Path, encoding: str) -> Iterator[Record]:
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in (".txt", ".md") and p.is_file())
    if not files:
        raise InputError(f"{path}: the folder holds no .txt or .md file")
    for file in files:
        with file.open("rb") as stream:
            text = "\n".join(line for _, line in decoded_lines(stream, str(file), encoding))
        yield Record(file.relative_to(path).as_posix(), text, {"file": str(file)})


def _jsonl_rows(stream: BinaryIO, path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in decoded_lines(stream, str(path), encoding):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise RecordError(f"{path}:{number}: broken JSON at column {error.colno}: {error.msg}") from None
        except RecursionError:
            raise RecordError(f"{path}:{number}: JSON is nested too deeply") from None
        if not isinstance(row, dict):
            raise RecordError(f"{path}:{number}: a {type(row).__name__}, not a JSON object")
        yield number, row


def _tsv_rows(stream: BinaryIO, path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = decoded_lines(stream, str(path), encoding)
    header = next(lines, (1, ""))[1].split("\t")
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(header):
            raise RecordError(f"{path}:{number}: {len(cells)} columns, the header has {len(header)}")
        yield number, dict(zip(header, cells, strict=True))


def _csv_rows(stream: BinaryIO, path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    # A quoted field may hold line ends, which the csv module wants to see.
    lines = (line + "\n" for _, line in decoded_lines(stream, str(path), encoding))
    reader = csv.reader(lines, strict=True)
    csv.field_size_limit(1 << 30)
    header: list[str] | None = None
    try:
        for cells in reader:
            if header is None:
                header = cells
            elif not cells:
                continue
            elif len(cells) != len(header):
                raise RecordError(f"{path}:{reader.line_num}: {len(cells)} columns, the header has {len(header)}")
            else:
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise RecordError(f"{path}:{reader.line_num}: broken CSV: {error}") from None


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    parquet = require("pyarrow.parquet", extra="parquet")
    arrow = require("pyarrow", extra="parquet")
    try:
        file = parquet.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (arrow.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a readable parquet file: {reason}") from None


def _rows(
    rows: Iterator[tuple[int, dict[str, Any]]], path: Path, text_field: str | None, id_field: str | None
) -> Iterator[Record]:
    for position, (number, row) in enumerate(rows):
        if position == 0 and text_field is None:
            text_field = next((f for f in TEXT_FIELDS if f in row), None)
            if text_field is None:
                raise RecordError(f"{path}:{number}: no text field; name one with --text-field: {_names(row)}")
        if position == 0 and id_field is None:
            id_field = next((f for f in ID_FIELDS if f in row), None)
        assert text_field is not None
        text = _field(row, text_field, path, number)
        if not isinstance(text, str):
            kind = "null" if text is None else type(text).__name__
            raise RecordError(f"{path}:{number}: field {text_field!r} is {kind}, not a text")
        identity = str(position) if id_field is None else str(_field(row, id_field, path, number))
        yield Record(identity, text, {k: v for k, v in row.items() if k not in (text_field, id_field)})


def _field(row: dict[str, Any], name: str, path: Path, number: int) -> Any:
    if name not in row:
        raise RecordError(f"{path}:{number}: no field {name!r}; the row has {_names(row)}")
    return row[name]


def _names(row: dict[str, Any]) -> str:
    return ", ".join(list(row)[:12]) or "no fields"
