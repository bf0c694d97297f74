"""``ko-st search``: the texts of a corpus, or of a search index, that answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from . import options as opt
from .index import model_of
from .output import Json, emit, progress

if TYPE_CHECKING:
    from ..index import IndexHit, Mode
    from ..retrieval import Hit


def search(
    corpus: Annotated[
        str, typer.Argument(metavar="CORPUS", help="A file of texts, a folder of them, or a search index.")
    ],
    query: Annotated[str, typer.Argument(metavar="질문", help="What you want to know.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many hits.")] = 5,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help=f"{opt.DEFAULT}, or the index's own, by default.")
    ] = None,
    mode: Annotated[str | None, typer.Option("--mode", help="Of an index: hybrid (default), dense or lexical.")] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Of an index: \"year >= 2024 and kind = '정책'\".")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Of an index: why each hit is where it is.")] = False,
    rerank: Annotated[
        str | None, typer.Option("--rerank", help="Of an index: a CrossEncoder that puts the best 50 in order.")
    ] = None,
    engine: opt.Engine = None,
    threads: opt.Threads = None,
    download: opt.Download = False,
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    input_encoding: opt.InputEncoding = "utf-8",
    as_json: Json = False,
) -> None:
    """Print the texts nearest to a question. The corpus is encoded once and remembered."""
    from .. import index, retrieval
    from ..errors import InputError
    from ..records import read_records

    if top_k < 1:
        raise InputError(f"-k is {top_k}; it must be at least 1")
    if index.exists(Path(corpus)):
        second = index.load_reranker(rerank, download=download) if rerank else None
        with index.SearchIndex.open(corpus) as opened:
            if mode != "lexical":
                opened.attach(opt.load(model_of(opened, model), engine, threads, download=download))
            found = opened.search(query, top_k, mode=cast("Mode", mode or "hybrid"), where=where, rerank=second)
            _show(query, opened.model, found, as_json, explain)
        return
    if where or rerank or explain or mode not in (None, "dense"):
        raise InputError(
            f"{corpus} is no search index, which this needs; make one: ko-st index build {corpus} --index DIR"
        )
    model = model or opt.DEFAULT
    records = list(read_records(corpus, text_field=text_field, id_field=id_field, encoding=input_encoding))
    if not any(record.text.strip() for record in records):
        raise InputError(f"{corpus}: no text in it")
    encoder = opt.load(model, engine, threads, download=download)
    with progress("encoding the corpus", len(records)) as advance:
        embeddings = retrieval.embed_corpus(encoder, records, progress=advance)
    hits = retrieval.search(encoder, records, query, top_k=top_k, embeddings=embeddings)
    _show(query, model, hits, as_json)


def _show(query: str, model: str | None, hits: Sequence[Hit | IndexHit], as_json: bool, explain: bool = False) -> None:
    if as_json:
        rows = [asdict(hit) for hit in hits]
        for row in [] if explain else rows:
            row.pop("why", None)
        emit({"query": query, "model": model, "hits": rows})
        return
    for rank, hit in enumerate(hits, start=1):
        title = hit.metadata.get("title")
        heading = f"{hit.id}  {title}" if isinstance(title, str) else hit.id
        print(f"{rank:2}. {hit.score:.3f}  {heading}")
        text = " ".join(getattr(hit, "marked", hit.text).split())
        print(f"    {text[:150]}{'…' if len(text) > 150 else ''}")
        if explain:
            why = asdict(hit)["why"]
            parts = [
                f"{name} {why[name]:.3f} (rank {why[name + '_rank'] or '-'})"
                for name in ("cosine", "bm25")
                if why[name] is not None
            ]
            print(f"    {', '.join([*parts, 'words ' + (' '.join(why['words']) or '-')])}")
