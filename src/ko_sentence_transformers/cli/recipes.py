"""``ko-st recipes``: which training recipes there are, what one resolves to, and a copy to change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import Json, emit

app = typer.Typer(help="List the training recipes, show one resolved, or copy one to change it.")

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value, as train.learning_rate=3e-5."),
]


@app.callback(invoke_without_command=True)
def recipes(context: typer.Context, as_json: Json = False) -> None:
    """List the recipes."""
    if context.invoked_subcommand:
        return
    from ..recipe import load_recipe, recipe_names

    rows = [load_recipe(name) for name in recipe_names()]
    if as_json:
        emit({"recipes": [{"name": row.name, "description": row.description} for row in rows]})
        return
    for row in rows:
        print(f"{row.name:24}{row.description}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="RECIPE", help="A name of the list, or a .toml file.")],
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Show a recipe with every value resolved."""
    from ..recipe import load_recipe

    recipe = load_recipe(name, overrides or [])
    if as_json:
        emit(recipe.as_dict())
    else:
        print(recipe.to_toml(), end="")


@app.command()
def copy(
    name: Annotated[str, typer.Argument(metavar="RECIPE", help="A name of the list.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new .toml file.")],
    as_json: Json = False,
) -> None:
    """Write a recipe's file, with its reasons, to change it."""
    from ..recipe import copy_recipe

    copy_recipe(name, file)
    if as_json:
        emit({"name": name, "path": str(file)})
    else:
        print(f"{name} -> {file}")
