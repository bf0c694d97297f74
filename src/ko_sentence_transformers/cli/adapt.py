"""``ko-st adapt``: a shipped model tuned on your own documents, with its search before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import Json, emit
from .recipes import Overrides


def adapt(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Pairs (title and body), or texts of any kind.")],
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="A new model folder.")],
    model: Annotated[str | None, typer.Option("--model", help="What to start from; the default model.")] = None,
    holdout: Annotated[int, typer.Option("--holdout", help="Pairs to measure on, not trained on.")] = 500,
    anchor: Annotated[str, typer.Option("--anchor", metavar="COLUMN", help="Column of the question or title.")] = "",
    positive: Annotated[str, typer.Option("--positive", metavar="COLUMN", help="Column of the answer or body.")] = "",
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Take up the unfinished run of this output.")] = False,
    as_json: Json = False,
) -> None:
    """Tune a model on your own documents and say what search gained by it."""
    from ..adaptation import Pairing
    from ..adaptation import adapt as run
    from ..registry import DEFAULT_MODEL
    from .train import shown

    with shown() as on_progress:
        done = run(
            corpus,
            output,
            model=model or DEFAULT_MODEL,
            pairing=Pairing(anchor, positive, holdout),
            overrides=overrides or [],
            resume=resume,
            on_progress=on_progress,
        )
    if as_json:
        from dataclasses import asdict

        emit({**asdict(done), "folder": str(done.folder)})
        return
    print(f"{done.pairs:,} pairs, {done.negatives:,} mined negatives -> {done.folder}")
    before, after = done.before, done.after
    print(f"{before.pairs:,} held-out questions among {before.documents:,} documents:")
    print(f"  recall@10 {before.recall_at_10:.2f} -> {after.recall_at_10:.2f}")
    print(f"  recall@1  {before.recall_at_1:.2f} -> {after.recall_at_1:.2f}")
