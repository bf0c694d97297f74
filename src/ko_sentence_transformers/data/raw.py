"""Files to cells: one dictionary a row, with its line, and bad rows told apart from good ones."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from ..errors import InputError, RecordError
from ..records import _parquet_rows, decoded_lines

Cells = dict[str, Any]
# Cells, or why the row has none.
RawRow = tuple[int, Cells | str]

SUFFIXES = (".tsv", ".jsonl", ".json", ".csv", ".parquet")


def raw_rows(path: Path, encoding: str) -> Iterator[RawRow]:
    """Yield ``(line, cells)`` of each row, or ``(line, reason)`` of one that cannot be split into cells.

    TSV is split at tabs and nowhere else: KorNLU's files hold stray quotes, at which the csv module's default
    joins rows. In ``.json`` (one list, as KLUE's files are) and ``.parquet`` the line is the row's number.

    :raises InputError: for a file that is missing, empty, damaged, of an unknown kind or in another encoding.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    suffix = plain.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: unknown kind of file {suffix!r}; use one of {', '.join(SUFFIXES)} (or .gz)")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    if suffix == ".parquet":
        yield from _parquet_rows(path)
        return
    reader = {".tsv": _tsv, ".jsonl": _jsonl, ".json": _json, ".csv": _csv}[suffix]
    with gzip.open(path) if plain != path else path.open("rb") as stream:
        try:
            yield from reader(cast(BinaryIO, stream), path, encoding)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{path}: the gzip data are damaged or cut off: {error}") from None


def _tsv(stream: BinaryIO, path: Path, encoding: str) -> Iterator[RawRow]:
    lines = decoded_lines(stream, str(path), encoding)
    header = next(lines, (1, ""))[1].split("\t")
    if len(set(header)) != len(header):
        raise RecordError(f"{path}:1: two columns have one name: {', '.join(header)}")
    for number, line in lines:
        if not line:
            continue
        cells = line.split("\t")
        if len(cells) == len(header):
            yield number, dict(zip(header, cells, strict=True))
        else:
            yield number, f"{len(cells)} columns, the header has {len(header)}"


def _csv(stream: BinaryIO, path: Path, encoding: str) -> Iterator[RawRow]:
    # A quoted cell may hold line ends, which the csv module wants to see; a row's line is its last one.
    reader = csv.reader((line + "\n" for _, line in decoded_lines(stream, str(path), encoding)), strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            if header is None:
                header = cells
            elif len(cells) == len(header):
                yield reader.line_num, dict(zip(header, cells, strict=True))
            elif cells:
                yield reader.line_num, f"{len(cells)} columns, the header has {len(header)}"
    except csv.Error as error:
        raise RecordError(f"{path}:{reader.line_num}: broken CSV: {error}") from None


def _jsonl(stream: BinaryIO, path: Path, encoding: str) -> Iterator[RawRow]:
    for number, line in decoded_lines(stream, str(path), encoding):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except json.JSONDecodeError as error:
            yield number, f"broken JSON: {error.msg}"
        except RecursionError:
            yield number, "JSON is nested too deeply"
        else:
            yield number, cells if isinstance(cells, dict) else "not a JSON object"


def _json(stream: BinaryIO, path: Path, encoding: str) -> Iterator[RawRow]:
    text = "\n".join(line for _, line in decoded_lines(stream, str(path), encoding))
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: broken JSON: {error.msg}; is the file cut off?") from None
    except RecursionError:
        raise InputError(f"{path}: JSON is nested too deeply") from None
    if not isinstance(document, list):
        raise InputError(f"{path}: a JSON {type(document).__name__}, not a list of objects")
    for number, cells in enumerate(document, start=1):
        yield number, cells if isinstance(cells, dict) else "not a JSON object"
