"""``ko-st compare``: two models on the same rows."""

from __future__ import annotations

from .evaluate import Data, Download, Model, Prompt, Split, TaskNames, data_places, figure_title
from .output import Json, emit, progress


def compare(
    a: Model,
    b: Model,
    task: TaskNames,
    data: Data = None,
    split: Split = None,
    prompt: Prompt = None,
    download: Download = False,
    as_json: Json = False,
) -> None:
    """Compare two models on the same rows: the difference A - B, its 95 % interval and p."""
    from ..evaluation import compare as run
    from ..model import load_model

    places = data_places(data, task)
    one, two = load_model(a, download=download), load_model(b, download=download)
    with progress("texts") as advance:
        comparisons = run(one, two, task, places, split=split, prompt_name=prompt, progress=advance)
    if as_json:
        emit({name: result.as_dict() for name, result in comparisons.items()})
        return
    for name, result in comparisons.items():
        title, (low, high) = figure_title(result.metric), result.interval
        print(f"{name}: {title} {result.a:.2f} ({one.name}) and {result.b:.2f} ({two.name})")
        print(f"  difference {result.difference:+.2f}, 95% interval {low:+.2f} to {high:+.2f}, p {result.p:.3f}")
