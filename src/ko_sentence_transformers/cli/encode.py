"""``ko-st encode``: a file of texts to a file of embeddings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from . import options as opt
from .output import Json, emit, progress

if TYPE_CHECKING:
    from ..encoding import OnTruncation


def encode(
    source: Annotated[str, typer.Argument(metavar="IN", help=".txt .jsonl .tsv .csv .parquet, a folder, or -")],
    output: Annotated[Path, typer.Option("--output", "-o", help=".npy, .safetensors or .parquet")],
    model: opt.Model = opt.DEFAULT,
    engine: opt.Engine = None,
    threads: opt.Threads = None,
    download: opt.Download = False,
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    input_encoding: opt.InputEncoding = "utf-8",
    prompt_name: Annotated[str | None, typer.Option("--prompt-name", help="query or document; else none.")] = None,
    truncate_dim: Annotated[int | None, typer.Option("--truncate-dim", help="Keep this many dimensions.")] = None,
    on_truncation: Annotated[str, typer.Option("--on-truncation", help="Long texts: warn, error or chunk.")] = "warn",
    batch_tokens: Annotated[int, typer.Option("--batch-tokens", help="Tokens of one batch.")] = 1024,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after an interrupted --resume run.")] = False,
    as_json: Json = False,
) -> None:
    """Write the embeddings of a file of texts, one row a text, in order."""
    from ..errors import InputError
    from ..records import read_records
    from ..vector_file import EncodeOptions, encode_file

    if on_truncation not in ("warn", "error", "chunk"):
        raise InputError(f"--on-truncation {on_truncation!r} is unknown; choose warn, error or chunk")
    records = read_records(source, text_field=text_field, id_field=id_field, encoding=input_encoding)
    choices = EncodeOptions(prompt_name, truncate_dim, cast("OnTruncation", on_truncation), batch_tokens)
    key = _resume_key(source, text_field) if resume else None
    encoder = opt.load(model, engine, threads, download=download)
    with progress("encoding") as advance:
        done = encode_file(encoder, records, output, options=choices, resume_key=key, progress=advance)
    for line in done.report.lines():
        logging.getLogger(__name__).warning(line)
    if as_json:
        emit({"output": str(done.path), "rows": done.rows, "dim": done.dim, "resumed_rows": done.resumed_rows})
    else:
        print(f"{done.rows} x {done.dim} -> {done.path}")


def _resume_key(source: str, text_field: str | None) -> str:
    from ..errors import InputError

    if source == "-":
        raise InputError("standard input cannot be resumed; name a file or leave out --resume")
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    status = path.stat()
    return repr((str(path.resolve()), status.st_size, status.st_mtime_ns, text_field))
