"""``ko-st doctor``: what is installed, which engine and models there are, and whether they work."""

from __future__ import annotations

import platform
import sys
from typing import Any

import typer

from .output import Json, emit

_PACKAGES = ("openvino", "onnxruntime", "tokenizers", "numpy", "sentence-transformers", "torch", "kiwipiepy", "pyarrow")


def doctor(as_json: Json = False) -> None:
    """Check this installation: packages, engines, models, and a sentence through each."""
    from .. import __version__
    from ..diagnosis import check_models

    models = check_models()
    report: dict[str, Any] = {
        "version": __version__,
        "python": sys.version.split()[0],
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
        "models": models,
        "ok": bool(models) and all(model["ok"] for model in models),
    }
    if as_json:
        emit(report)
    else:
        _print(report)
    if not report["ok"]:
        raise typer.Exit(1)


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(f"ko-sentence-transformers {report['version']}, Python {report['python']}, {report['platform']}")
    table = Table("package", "version", box=None)
    for name, version in report["packages"].items():
        table.add_row(name, version or "[dim]not installed[/dim]")
    console.print(table)
    for model in report["models"]:
        mark = "[green]works[/green]" if model["ok"] else f"[red]{model['problem']}[/red]"
        console.print(f"{model['name']} on {model['engine']}: {mark}")
