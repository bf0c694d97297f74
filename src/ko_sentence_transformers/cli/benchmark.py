"""``ko-st benchmark``: speed, latency and memory, beside other libraries in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options as opt
from .output import Json, emit, progress

if TYPE_CHECKING:
    from ..benchmarking import BenchmarkRow


def benchmark(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="A model to time; may be repeated. All shipped by default."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against", help="sentence-transformers (the default), fastembed, model2vec or none; repeatable."
        ),
    ] = None,
    texts: Annotated[
        str | None, typer.Option("--texts", help="Texts to encode; built-in Korean ones by default.")
    ] = None,
    text_field: opt.TextField = None,
    engine: opt.Engine = None,
    threads: opt.Threads = None,
    rounds: Annotated[int, typer.Option("--rounds", help="How often each side encodes the texts, in turn.")] = 3,
    plot: Annotated[Path | None, typer.Option("--plot", help="Quality over speed as .png or .svg.")] = None,
    as_json: Json = False,
) -> None:
    """Time models beside other libraries with the same weights: ratio, latency, memory."""
    from ..benchmarking import benchmark as run
    from ..records import read_records
    from ..registry import list_models

    models = model or [meta.name for meta in list_models() if meta.source == "shipped" and meta.on_disk]
    others = [name for name in against or ["sentence-transformers"] if name != "none"]
    if plot is not None:
        from ..scatter import check_target

        check_target(plot)
    corpus = None if texts is None else [record.text for record in read_records(texts, text_field=text_field)]
    with progress("timing") as advance:
        rows = run(
            models, against=others, texts=corpus, engine=engine, threads=threads, rounds=rounds, progress=advance
        )
    if plot is not None:
        from ..pareto import plot_pareto

        plot_pareto(rows, plot)
    if as_json:
        emit({"rows": [row.as_dict() for row in rows]})
    else:
        _print(rows, others)


def _print(rows: list[BenchmarkRow], others: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, caption=f"ratios: to {others[0]} with the same weights" if others else None)
    for name in ("model", "engine"):
        table.add_column(name, overflow="fold")
    ratios = ("ratio", "ratio, 1 text") if others else ()
    for name in ("sentences/s", "ms, 1 text", "MB", *ratios):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        memory = "-" if row.memory_mb is None else f"{row.memory_mb:.0f}"
        cells = [
            Path(row.model).name,
            row.engine,
            f"{row.sentences_per_second:,.0f}",
            f"{row.latency_ms_p50:.2f}",
            memory,
        ]
        if others:
            cells += ["-" if value is None else f"{value:.2f}" for value in (row.ratio, row.latency_ratio)]
        table.add_row(*cells)
    Console().print(table)
