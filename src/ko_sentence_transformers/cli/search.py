"""``ko-st search``: the texts of a corpus that answer a question."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from . import options as opt
from .output import Json, emit


def search(
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="A file of texts, or a folder of them.")],
    query: Annotated[str, typer.Argument(metavar="질문", help="What you want to know.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many hits.")] = 5,
    model: opt.Model = opt.DEFAULT,
    engine: opt.Engine = None,
    threads: opt.Threads = None,
    download: opt.Download = False,
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    input_encoding: opt.InputEncoding = "utf-8",
    as_json: Json = False,
) -> None:
    """Print the texts nearest to a question. The corpus is encoded once and remembered."""
    from .. import retrieval
    from ..errors import InputError
    from ..records import read_records

    if top_k < 1:
        raise InputError(f"-k is {top_k}; it must be at least 1")
    records = list(read_records(corpus, text_field=text_field, id_field=id_field, encoding=input_encoding))
    if not any(record.text.strip() for record in records):
        raise InputError(f"{corpus}: no text in it")
    encoder = opt.load(model, engine, threads, download=download)
    embeddings = retrieval.embed_corpus(encoder, records)
    hits = retrieval.search(encoder, records, query, top_k=top_k, embeddings=embeddings)
    if as_json:
        emit({"query": query, "model": model, "hits": [asdict(hit) for hit in hits]})
        return
    for rank, hit in enumerate(hits, start=1):
        title = hit.metadata.get("title")
        heading = f"{hit.id}  {title}" if isinstance(title, str) else hit.id
        print(f"{rank:2}. {hit.score:.3f}  {heading}")
        text = " ".join(hit.text.split())
        print(f"    {text[:150]}{'…' if len(text) > 150 else ''}")
