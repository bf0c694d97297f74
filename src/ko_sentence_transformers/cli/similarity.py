"""``ko-st similarity``: how near two sentences are."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options as opt
from .output import Json, emit


def similarity(
    first: Annotated[str, typer.Argument(metavar="문장1", help="A sentence.")],
    second: Annotated[str, typer.Argument(metavar="문장2", help="Another one.")],
    model: opt.Model = opt.DEFAULT,
    engine: opt.Engine = None,
    threads: opt.Threads = None,
    download: opt.Download = False,
    as_json: Json = False,
) -> None:
    """Print the cosine similarity of two sentences: 1 is the same meaning, 0 none in common."""
    from .. import encoding

    encoder = opt.load(model, engine, threads, download=download)
    vectors = encoding.encode(encoder, [first, second])
    score = float(encoding.similarity(vectors[:1], vectors[1:])[0, 0])
    if as_json:
        emit({"score": score, "sentences": [first, second], "model": model})
    else:
        print(f"{score:.4f}")
