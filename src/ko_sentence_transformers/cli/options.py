"""Options that several verbs share: one meaning, one help text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..encoding import Encoder

DEFAULT = "ko-sbert-small"
Model = Annotated[str, typer.Option("--model", "-m", help="A shipped name, a folder, or a hub id.")]
Engine = Annotated[str | None, typer.Option("--engine", help="openvino, onnxruntime or torch; the quickest one.")]
Threads = Annotated[int | None, typer.Option("--threads", help="Processor threads; all by default.")]
Download = Annotated[bool, typer.Option("--download", help="Allow the network, for hub models not on disk.")]
TextField = Annotated[str | None, typer.Option("--text-field", help="The field that holds the text.")]
IdField = Annotated[str | None, typer.Option("--id-field", help="The field that holds the id.")]
InputEncoding = Annotated[str, typer.Option("--input-encoding", help="Of the input file: utf-8, cp949, utf-16 ...")]


def load(model: str, engine: str | None = None, threads: int | None = None, *, download: bool = False) -> Encoder:
    """Load the model of a verb."""
    from ..model import load_model

    return load_model(model, engine=engine, threads=threads, download=download)
