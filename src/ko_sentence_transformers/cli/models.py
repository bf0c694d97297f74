"""``ko-st models``: which models there are, and a copy of one as a sentence-transformers folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import Json, emit

app = typer.Typer(help="List the models, or copy a shipped one as a sentence-transformers folder.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the models, shipped ones first."""
    if context.invoked_subcommand:
        return
    from ..registry import list_models

    rows = list_models()
    if as_json:
        emit({"models": [row.as_dict() for row in rows]})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "dim", "tokens", "MB", "license", "on disk", box=None)
    for row in rows:
        size = f"{row.size_mb:.0f}" if row.size_mb else "-"
        table.add_row(
            row.name, str(row.dim), str(row.max_seq_length), size, row.license, "yes" if row.on_disk else "no"
        )
    Console().print(table)


@app.command()
def copy(
    name: Annotated[str, typer.Argument(help="A shipped model.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    as_json: Json = False,
) -> None:
    """Write a shipped model as a folder that sentence-transformers loads, full-precision weights restored."""
    from ..model import copy_model

    copy_model(name, folder)
    if as_json:
        emit({"name": name, "path": str(folder)})
    else:
        print(f"{name} -> {folder}")
