"""``ko-st evaluate``: a model's figures on Korean data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import Json, emit, progress

if TYPE_CHECKING:
    from ..encoding import Encoder
    from ..evaluation import Score

Model = Annotated[str, typer.Argument(help="A shipped model, a sentence-transformers folder, or a hub id.")]
TaskNames = Annotated[
    list[str],
    typer.Option(
        "--task",
        help="korsts, klue-sts, pairs, retrieval, topics, bitext, groups; mteb or mteb:NAME; repeat for more.",
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="[TASK=]PATH", help="A file, or a folder that holds the task's file."),
]
Split = Annotated[str | None, typer.Option("--split", help="train, dev or test, where a task has several.")]
Prompt = Annotated[
    str | None,
    typer.Option("--prompt", help="The model's prompt before every text: query, document or none."),
]
Download = Annotated[bool, typer.Option("--download", help="Allow the download of a hub model.")]


def evaluate(
    model: Model,
    task: TaskNames,
    data: Data = None,
    split: Split = None,
    prompt: Prompt = None,
    dims: Annotated[
        str | None, typer.Option("--dims", metavar="384,256,...", help="Also with so many dimensions.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Score against cosine, as .png or .svg.")
    ] = None,
    font: Annotated[Path | None, typer.Option("--font", help="A font file with Hangul, for --plot.")] = None,
    download: Download = False,
    as_json: Json = False,
) -> None:
    """Evaluate a model on Korean tasks; figures are times 100."""
    from ..evaluation import evaluate as run
    from ..model import load_model

    mteb = [name for name in task if name.partition(":")[0] == "mteb"]
    own = [name for name in task if name not in mteb]
    places, wanted = data_places(data, own), _dims(dims)
    if plot is not None:
        _check_plot(plot, task)
    encoder = load_model(model, download=download)
    with progress("texts") as advance:
        scores = run(encoder, own, places, split=split, prompt_name=prompt, dims=wanted, progress=advance)
    if plot is not None:
        _plot(scores[task[0]], plot, encoder.name, font)
    document = {name: score.as_dict() for name, score in scores.items()}
    document |= _run_mteb(encoder, mteb)
    if as_json:
        emit(document)
        return
    for score in scores.values():
        _print(score)
    for name in document:
        if name not in scores:
            print(f"{name}: {figure_title(document[name]['metric'])} {document[name]['score']:.2f}")


def _run_mteb(encoder: Encoder, names: list[str]) -> dict[str, dict[str, Any]]:
    """Run the tasks named ``mteb:NAME``; ``mteb`` alone is all the Korean ones."""
    if not names:
        return {}
    from ..mteb_tasks import evaluate_mteb

    chosen = [] if "mteb" in names else [name.partition(":")[2] for name in names]
    return {f"mteb:{name}": score.as_dict() for name, score in evaluate_mteb(encoder, chosen).items()}


def data_places(data: list[str] | None, tasks: list[str]) -> str | dict[str, str]:
    """Return the one place for all tasks, or the place of each."""
    from ..errors import InputError
    from ..tasks import list_tasks

    if tasks and not data:
        raise InputError(f"task {tasks[0]} needs --data, a file or a folder")
    names = {task.name for task in list_tasks()}
    named = {}
    for entry in data or []:
        name, equals, place = entry.partition("=")
        if equals and name in names:
            named[name] = place
        elif data and len(data) == 1:
            return entry
        else:
            raise InputError(f"--data {entry}: with several, each is TASK=PATH, such as korsts={entry}")
    return named


def _dims(dims: str | None) -> list[int]:
    from ..errors import InputError

    try:
        return [int(dim) for dim in dims.split(",")] if dims else []
    except ValueError:
        raise InputError(f"--dims {dims!r} is not a list of numbers such as 384,256,128") from None


def _check_plot(path: Path, tasks: list[str]) -> None:
    """Find out before the run what would keep it from being drawn."""
    from ..errors import InputError
    from ..scatter import check_target

    if len(tasks) > 1 or tasks[0] not in ("korsts", "klue-sts", "pairs"):
        raise InputError("--plot draws one task: korsts, klue-sts or pairs")
    check_target(path)


def _plot(score: Score, path: Path, name: str, font: Path | None) -> None:
    from ..scatter import plot_scatter

    plot_scatter(score, path, title=f"{Path(name).name}, {score.task}", font=font)


def _print(score: Score) -> None:
    print(f"{score.task} (n = {score.n:,})")
    for name, value in score.metrics.items():
        print(
            f"- {figure_title(name)}: {value:.4f}"
            if name.endswith("threshold")
            else f"- {figure_title(name)}: {value:.2f}"
        )
    low, high = score.interval
    print(f"  95% interval of {figure_title(score.main)}: {low:.2f} to {high:.2f}")
    if score.dims:
        _print_dims(score)


def _print_dims(score: Score) -> None:
    """Print a column for each number of dimensions, a row for each figure."""
    print(f"{'dimensions':20}" + "".join(f"{dim:>8}" for dim in score.dims))
    for name in score.metrics:
        if not name.endswith("threshold"):
            values = "".join(f"{metrics[name]:8.2f}" for metrics in score.dims.values())
            print(f"{figure_title(name):20}{values}")


def figure_title(name: str) -> str:
    """Return ``cosine_pearson`` as the model card writes it: ``Cosine Pearson``."""
    special = {"ndcg": "nDCG", "mrr": "MRR", "map": "MAP", "f1": "F1", "v": "V", "at": "@", "r": "R"}
    words = " ".join(special.get(word, word.capitalize()) for word in name.split("_"))
    return words.replace(" @ ", "@").replace("V Measure", "V-Measure").replace("R Precision", "R-Precision")
