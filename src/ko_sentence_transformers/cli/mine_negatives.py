"""``ko-st mine-negatives``: pairs to triplets, with negatives that a model takes for the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import Json, emit


def mine_negatives(
    pairs: Annotated[Path, typer.Argument(metavar="PAIRS", help="A file of pairs (anchor and positive).")],
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="Triplets, as .jsonl.")],
    model: Annotated[str | None, typer.Option("--model", help="Whose mistakes to mine; the default model.")] = None,
    num_negatives: Annotated[int, typer.Option("--num-negatives", help="Triplets of a pair.")] = 1,
    margin: Annotated[float, typer.Option("--margin", help="How much less similar than the positive, a share.")] = 0.05,
    skip: Annotated[int, typer.Option("--skip", help="Leave the nearest so many out.")] = 0,
    as_json: Json = False,
) -> None:
    """Write triplets of pairs and mined negatives, for a recipe's set of kind triplets."""
    from ..data import read_pairs
    from ..model import load_model
    from ..negatives import mine_negatives as mine
    from ..negatives import write_rows
    from ..registry import DEFAULT_MODEL

    rows = read_pairs(pairs)
    encoder = load_model(model or DEFAULT_MODEL)
    mined = mine(rows.rows, encoder, num_negatives=num_negatives, margin=margin, skip=skip)
    write_rows(output, mined.triplets)
    if as_json:
        emit({"pairs": len(rows), "triplets": len(mined.triplets), "without": len(mined.left), "path": str(output)})
    else:
        print(f"{len(mined.triplets):,} triplets of {len(rows):,} pairs -> {output} ({len(mined.left):,} without)")
