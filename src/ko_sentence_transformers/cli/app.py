"""The table of verbs. A verb's module imports nothing heavy at its top, so ``--help`` stays quick."""

from __future__ import annotations

from typing import Annotated

import typer

from . import (
    adapt,
    benchmark,
    cluster,
    compare,
    data,
    doctor,
    encode,
    evaluate,
    export,
    index,
    mine_negatives,
    mining,
    models,
    recipes,
    search,
    similarity,
    train,
    trim,
)

app = typer.Typer(
    name="ko-st",
    help="Korean sentence embeddings: encode, compare, search, cluster, train, evaluate.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="encode")(encode.encode)
app.command(name="similarity")(similarity.similarity)
app.command(name="search")(search.search)
app.add_typer(models.app, name="models")
app.command(name="doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(recipes.app, name="recipes")
app.add_typer(index.app, name="index")
app.command(name="duplicates")(mining.duplicates)
app.command(name="paraphrases")(mining.paraphrases)
app.add_typer(cluster.app, name="cluster")
app.command(name="train")(train.train)
app.command(name="mine-negatives")(mine_negatives.mine_negatives)
app.command(name="adapt")(adapt.adapt)
app.command(name="evaluate")(evaluate.evaluate)
app.command(name="compare")(compare.compare)
app.command(name="benchmark")(benchmark.benchmark)
app.command(name="export")(export.export)
app.command(name="trim")(trim.trim)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Korean sentence embeddings: encode, compare, search, cluster, train, evaluate."""
    if version:
        from .. import __version__

        print(__version__)
        raise typer.Exit()
