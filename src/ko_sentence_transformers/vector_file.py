"""A file of texts to a file of embeddings, as a stream: bounded memory, resumable, all or nothing.

The vectors grow in ``.NAME.partial/`` beside the output, as raw float32 after room for the output's header; at the
end the header is written into that room and the file renamed into place, so that nothing is copied.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from ._extras import require
from ._files import explain, write_json
from .encoding import Encoder, OnTruncation, TextReport, encode_stream
from .errors import InputError, OutputError
from .records import Record

FORMATS = (".npy", ".parquet", ".safetensors")
_HEADER = 256  # bytes kept free at the start; a multiple of 64, as numpy aligns its data


@dataclass(frozen=True)
class EncodeOptions:
    """How texts become vectors, for :func:`encode_file`."""

    prompt_name: str | None = None
    truncate_dim: int | None = None
    on_truncation: OnTruncation = "warn"
    batch_tokens: int = 1024


@dataclass(frozen=True)
class EncodedFile:
    """What :func:`encode_file` wrote."""

    path: Path
    rows: int
    dim: int
    resumed_rows: int
    report: TextReport


def encode_file(
    model: Encoder,
    records: Iterator[Record],
    output: Path,
    *,
    options: EncodeOptions = EncodeOptions(),
    resume_key: str | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> EncodedFile:
    """Write the embeddings of ``records`` to ``output`` (``.npy``, ``.safetensors`` or ``.parquet``).

    :param resume_key: names this work; with it, an interrupted run's vectors are kept and the next run with the
        same key goes on after them. Without it they are removed.
    :param progress: called with the number of rows done since the last call.
    :raises InputError: for another kind of file.
    :raises OutputError: if it cannot be written; what was there before is intact.
    """
    if output.suffix.lower() not in FORMATS:
        raise InputError(f"{output}: unknown kind of output; use one of {', '.join(FORMATS)}")
    if output.is_dir():
        raise OutputError(f"cannot write {output}: it is a folder; name a file")
    if output.suffix.lower() == ".parquet":
        require("pyarrow.parquet", extra="parquet")
    dim = options.truncate_dim or model.dim
    partial = output.parent / f".{output.name}.partial"
    finished = False
    try:
        done = _reopen(partial, _key(resume_key, model, options), dim)
        report = TextReport(model.max_seq_length, options.on_truncation, texts=done)
        progress(done)
        rows = _write(model, records, partial, done, report, options, progress)
        _assemble(partial, output, rows, dim)
        finished = True
    except OSError as error:
        raise error if isinstance(error, OutputError) else explain(error, output) from error
    finally:
        if finished or resume_key is None:
            shutil.rmtree(partial, ignore_errors=True)
    return EncodedFile(output, rows, dim, done, report)


def _key(resume_key: str | None, model: Encoder, options: EncodeOptions) -> str:
    return hashlib.sha256(repr((resume_key, model.name, model.dim, options)).encode()).hexdigest()


def _reopen(partial: Path, key: str, dim: int) -> int:
    """Make the folder for the vectors, or find one that the same work left; return the rows it has."""
    state, vectors = partial / "state.json", partial / "vectors"
    with suppress(OSError, ValueError):
        if json.loads(state.read_text())["key"] == key:
            rows = min((vectors.stat().st_size - _HEADER) // (4 * dim), _count_ids(partial / "ids.jsonl"))
            if rows >= 0:
                os.truncate(vectors, _HEADER + rows * 4 * dim)
                _keep_ids(partial / "ids.jsonl", rows)
                return rows
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    vectors.write_bytes(bytes(_HEADER))
    (partial / "ids.jsonl").touch()
    write_json(state, {"key": key})
    return 0


def _count_ids(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(line.endswith(b"\n") for line in stream)


def _keep_ids(path: Path, rows: int) -> None:
    with path.open("r+b") as stream:
        for _ in range(rows):
            stream.readline()
        stream.truncate(stream.tell())


def _write(
    model: Encoder,
    records: Iterator[Record],
    partial: Path,
    done: int,
    report: TextReport,
    options: EncodeOptions,
    progress: Callable[[int], None],
) -> int:
    ids: list[str] = []

    def texts() -> Iterator[str]:
        for record in islice(records, done, None):
            ids.append(record.id)
            yield record.text

    rows = done
    with (partial / "vectors").open("ab") as vectors, (partial / "ids.jsonl").open("a", encoding="utf-8") as names:
        stream = encode_stream(
            model,
            texts(),
            report,
            prompt_name=options.prompt_name,
            truncate_dim=options.truncate_dim,
            batch_tokens=options.batch_tokens,
        )
        for part in stream:
            vectors.write(part.tobytes())
            vectors.flush()
            names.writelines(json.dumps(identity) + "\n" for identity in ids[: len(part)])
            names.flush()
            del ids[: len(part)]
            rows += len(part)
            progress(len(part))
        os.fsync(vectors.fileno())
    return rows


def _assemble(partial: Path, output: Path, rows: int, dim: int) -> None:
    vectors = partial / "vectors"
    kind = output.suffix.lower()
    if kind == ".parquet":
        _write_parquet(partial, partial / "out.parquet", rows, dim)
        (partial / "out.parquet").replace(output)
        return
    header = _npy_header(rows, dim) if kind == ".npy" else _safetensors_header(rows, dim)
    with vectors.open("r+b") as stream:
        stream.write(header)
    vectors.replace(output)


def _npy_header(rows: int, dim: int) -> bytes:
    """Version 1.0 header (numpy.lib.format) filled with spaces to the room kept free."""
    text = repr({"descr": "<f4", "fortran_order": False, "shape": (rows, dim)})
    size = _HEADER - 10
    return b"\x93NUMPY\x01\x00" + size.to_bytes(2, "little") + text.ljust(size - 1).encode() + b"\n"


def _safetensors_header(rows: int, dim: int) -> bytes:
    """Eight bytes of length and a JSON header, which the format lets be filled with spaces."""
    facts = {"embeddings": {"dtype": "F32", "shape": [rows, dim], "data_offsets": [0, rows * dim * 4]}}
    size = _HEADER - 8
    return size.to_bytes(8, "little") + json.dumps(facts).ljust(size).encode()


def _write_parquet(partial: Path, target: Path, rows: int, dim: int) -> None:
    arrow = require("pyarrow", extra="parquet")
    parquet = require("pyarrow.parquet", extra="parquet")
    schema = arrow.schema([("id", arrow.string()), ("embedding", arrow.list_(arrow.float32(), dim))])
    step = 8192
    with (
        (partial / "vectors").open("rb") as vectors,
        (partial / "ids.jsonl").open(encoding="utf-8") as names,
        parquet.ParquetWriter(target, schema) as writer,
    ):
        vectors.seek(_HEADER)
        for start in range(0, rows, step):
            count = min(step, rows - start)
            flat = np.frombuffer(vectors.read(count * dim * 4), dtype="<f4")
            ids = arrow.array([json.loads(line) for line in islice(names, count)], arrow.string())
            columns = [ids, arrow.FixedSizeListArray.from_arrays(arrow.array(flat), dim)]
            writer.write_batch(arrow.record_batch(columns, schema=schema))
