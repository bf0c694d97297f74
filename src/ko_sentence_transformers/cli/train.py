"""``ko-st train``: a recipe and a data folder in, a model folder out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import Json, emit
from .recipes import Overrides

if TYPE_CHECKING:
    from ..training import Estimate, Progress


def train(
    name: Annotated[str, typer.Argument(metavar="RECIPE", help="A name of ko-st recipes, or a .toml file.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The folder with the recipe's files.")],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="A new model folder.")] = Path("model"),
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Take up the unfinished run of this output.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Count steps and tokens, estimate time and memory; train nothing."),
    ] = False,
    download: Annotated[bool, typer.Option("--download", help="Fetch the base model from the hub if need be.")] = False,
    as_json: Json = False,
) -> None:
    """Train a recipe; torchrun runs it on several processes."""
    from ..recipe import load_recipe

    recipe = load_recipe(name, overrides or [])
    if dry_run:
        from ..training import estimate

        found = estimate(recipe, data, download=download)
        _print_estimate(found, as_json)
        return
    from ..training import train as run
    from ..training.stage import processes

    with shown() as on_progress:
        result = run(recipe, data, output, resume=resume, download=download, on_progress=on_progress)
    if processes()[0] != 0:
        return  # torchrun: one process speaks
    figures = result.figures
    if as_json:
        emit({"output": str(output), "before": figures.before, "after": figures.after, **figures.as_dict()})
        return
    for stage in figures.stages:
        kept = "" if stage.best_score is None else f", step {stage.best_step} kept (dev {stage.best_score:.2f})"
        print(f"{stage.name}, seed {stage.seed}: {stage.steps} steps in {_time(stage.seconds)}{kept}")
    for split, scores in figures.after.items():
        before, after = figures.before[split]["cosine_spearman"], scores["cosine_spearman"]
        print(f"{split}: cosine Spearman {before:.2f} -> {after:.2f}")
    print(f"{output}")


@contextmanager
def shown() -> Iterator[Any]:
    """Show progress, dev score and the time left on stderr, if that is a terminal."""
    import sys

    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=None, note="")
        score = ""

        def on_progress(now: Progress) -> None:
            nonlocal score
            if now.dev_score is not None:
                score = f" dev {now.dev_score:.2f}"
            loss = "" if now.loss is None else f" loss {now.loss:.3f}"
            left = "" if now.seconds_left is None else f" {_time(now.seconds_left)} left"
            bar.update(
                task,
                description=now.stage,
                completed=now.step,
                total=now.steps,
                note=f"{loss}{score}{left}".strip(),
            )

        yield on_progress


def _print_estimate(found: Estimate, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        emit(asdict(found))
        return
    for stage in found.stages:
        rows = ", ".join(f"{name} {count:,}" for name, count in stage.rows.items())
        print(f"{stage.name}: {rows} rows")
        every = f"warmup {stage.warmup_steps:,}, evaluation each {stage.evaluation_steps:,}"
        print(f"  steps   {stage.steps:,} ({every})")
        print(f"  tokens  {stage.tokens:,} ({stage.padding:.0%} padding)")
        print(f"  time    about {_time(stage.seconds)}, evaluation not counted")
    print(
        f"all: {found.steps:,} steps, about {_time(found.seconds)} on {found.device} in {found.precision}, ",
        end="",
    )
    print(f"about {found.bytes / 2**30:.1f} GiB of memory")


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
