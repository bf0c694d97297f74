"""``ko-st index``: build a search index, change it, ask about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options as opt
from .output import Json, emit, progress

if TYPE_CHECKING:
    from ..index import Changes, SearchIndex

app = typer.Typer(help="Build a search index and keep it up to date.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The index folder.")]
Input = Annotated[str, typer.Argument(help="A .jsonl, .tsv, .csv, .parquet or .txt file, a folder of texts, or -.")]
Model = Annotated[str | None, typer.Option("--model", "-m", help=f"{opt.DEFAULT}, or the index's own, by default.")]


@app.command()
def build(
    source: Input,
    folder: Annotated[Path, typer.Option("--index", help="A new folder.")],
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    encoding: opt.InputEncoding = "utf-8",
    model: Model = None,
    dim: Annotated[int | None, typer.Option("--dim", help="Keep this many leading dimensions.")] = None,
    chunk: Annotated[bool, typer.Option("--chunk", help="Split long texts at sentence ends.")] = False,
    analyser: Annotated[str | None, typer.Option("--analyser", help="kiwi or ngram.")] = None,
    words: Annotated[Path | None, typer.Option("--words", help="A file of nouns to keep whole, one a line.")] = None,
    as_json: Json = False,
) -> None:
    """Build an index of a file or folder; a build that was killed goes on where it stopped."""
    from ..errors import OutputError
    from ..index import SearchIndex, exists
    from ..records import read_records

    records = read_records(source, text_field=text_field, id_field=id_field, encoding=encoding)
    if exists(folder):
        index = _open(folder, model)
        if index.complete:
            raise OutputError(f"{folder} is a complete index; use: ko-st index update {folder} {source}")
    else:
        nouns = [record.text for record in read_records(words)] if words else []
        encoder = opt.load(model or opt.DEFAULT)
        index = SearchIndex.create(folder, encoder=encoder, dim=dim, chunk=chunk, analyser=analyser, words=nouns)
    with index, progress("building") as advance:
        changes = index.build(records, progress=_teller(advance))
        _report(index, changes, as_json)


@app.command()
def add(
    folder: Folder,
    source: Input,
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    encoding: opt.InputEncoding = "utf-8",
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Add new records; those that are there unchanged are passed over."""
    from ..records import read_records

    records = read_records(source, text_field=text_field, id_field=id_field, encoding=encoding)
    with _open(folder, model) as index, progress("adding") as advance:
        _report(index, index.add(records, progress=_teller(advance)), as_json)


@app.command()
def update(
    folder: Folder,
    source: Input,
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    encoding: opt.InputEncoding = "utf-8",
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Add records or replace those with their ids; only changed texts are encoded."""
    from ..records import read_records

    records = read_records(source, text_field=text_field, id_field=id_field, encoding=encoding)
    with _open(folder, model) as index, progress("updating") as advance:
        _report(index, index.update(records, progress=_teller(advance)), as_json)


@app.command()
def delete(
    folder: Folder,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids of records; - reads them from standard input.")
    ],
    as_json: Json = False,
) -> None:
    """Delete records by their ids."""
    from ..index import SearchIndex
    from ..records import read_records

    wanted = [record.text for record in read_records("-")] if ids == ["-"] else ids
    with SearchIndex.open(folder) as index:
        deleted = index.delete(wanted)
        rows = len(index)
    if as_json:
        emit({"deleted": deleted, "rows": rows})
    else:
        print(f"{deleted} of {len(wanted)} deleted, {rows} rows remain")


@app.command()
def info(
    folder: Folder,
    check: Annotated[
        bool, typer.Option("--check", help="Compare rows, words, vectors and model; exit 1 if something is wrong.")
    ] = False,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Say what the index holds and what made it, and with --check whether it is whole."""
    from .. import index

    # Before the index is opened, which repairs what it can.
    problems = index.check(folder, load=lambda name: opt.load(model or name)) if check else ()
    with index.SearchIndex.open(folder) as opened:
        facts = opened.info().as_dict()
    if as_json:
        emit(facts | {"problems": [problem.as_dict() for problem in problems]} if check else facts)
    else:
        for name, value in facts.items():
            shown = ", ".join(value) if isinstance(value, tuple) else value
            print(f"{name:<17}{'-' if shown is None else shown}")
        for problem in problems:
            print(f"wrong: {problem.what}\n       {problem.repair}")
        if check and not problems:
            print("rows, words, vectors and model agree")
    if problems:
        raise typer.Exit(1)


@app.command()
def compact(folder: Folder, as_json: Json = False) -> None:
    """Give back space, rebuild the vector file, analyse the words again if kiwipiepy has changed."""
    from ..index import SearchIndex

    with SearchIndex.open(folder) as index:
        before = index.info().bytes
        index.compact()
        after = index.info()
    if as_json:
        emit({"rows": after.rows, "bytes_before": before, "bytes": after.bytes})
    else:
        print(f"{after.rows} rows, {before / 1e6:.1f} MB -> {after.bytes / 1e6:.1f} MB")


@app.command()
def tune(
    folder: Folder,
    recall: Annotated[float, typer.Option("--recall", help="Share of the true ten nearest to find.")] = 0.98,
    queries: Annotated[Path | None, typer.Option("--queries", help="Typical queries, one a line.")] = None,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Measure recall against exact search on this index and set how far its searches look."""
    from ..index import SearchIndex
    from ..records import read_records

    with _open(folder, model) if queries else SearchIndex.open(folder) as index:
        texts = [record.text for record in read_records(queries)] if queries else None
        tuning = index.tune(recall=recall, queries=texts)
    if as_json:
        emit(tuning.as_dict())
    elif tuning.chosen is None:
        print("the index is searched exactly: recall is 1, there is nothing to tune")
    else:
        for trial in tuning.trials:
            print(f"probes {trial.probes:>5}  recall {trial.recall:.4f}  {trial.milliseconds:.2f} ms")
        print(f"chosen: {tuning.chosen.probes} probes")


def model_of(index: SearchIndex, model: str | None) -> str:
    """Return the name of the model to use with an index: its own, unless another is named."""
    from ..errors import IndexFolderError

    name = model or index.model
    if name is None:
        raise IndexFolderError("the index was filled with embeddings made elsewhere; use it from Python")
    return name


def _open(folder: Path, model: str | None) -> SearchIndex:
    from ..index import SearchIndex

    index = SearchIndex.open(folder)
    index.attach(opt.load(model_of(index, model)))
    return index


def _report(index: SearchIndex, changes: Changes, as_json: bool) -> None:
    from dataclasses import asdict

    rows = len(index)
    if as_json:
        emit({"rows": rows, **asdict(changes)})
    else:
        print(f"{rows} rows: {changes.added} added, {changes.updated} updated, {changes.unchanged} unchanged")


def _teller(advance: Callable[[int], None]) -> Callable[[Changes], None]:
    """Turn running totals into steps of a progress bar."""
    done = 0

    def tell(changes: Changes) -> None:
        nonlocal done
        total = changes.added + changes.updated + changes.unchanged
        advance(total - done)
        done = total

    return tell
