"""``ko-st trim``: a multilingual model without the pieces that a corpus never uses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options as opt
from .output import Json, emit


def trim(
    model: Annotated[str, typer.Argument(help="A shipped name, a folder, or a hub id.")],
    corpus: Annotated[str, typer.Option("--corpus", "-c", help="Texts whose pieces are kept: a file, a folder, or -")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
    keep_hangul: Annotated[bool, typer.Option("--keep-hangul", help="Keep every Hangul piece, used or not.")] = False,
    text_field: opt.TextField = None,
    input_encoding: opt.InputEncoding = "utf-8",
    download: opt.Download = False,
    as_json: Json = False,
) -> None:
    """Write a model with the vocabulary of a corpus: the same vectors on its texts, a smaller table."""
    from ..records import read_records
    from ..trimming import trim_model

    records = read_records(corpus, text_field=text_field, encoding=input_encoding)
    texts = (record.text for record in records)
    done = trim_model(model, output, texts, keep_hangul=keep_hangul, download=download)
    if as_json:
        emit(done.as_dict())
    else:
        print(
            f"{model} -> {done.path}: {done.pieces_before} -> {done.pieces_after} pieces, "
            f"{done.size_mb_before} -> {done.size_mb_after} MB; the {done.tokens_before} tokens of "
            f"{done.texts} texts are unchanged"
        )
