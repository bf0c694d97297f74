"""``ko-st export``: a model for another reader or a quicker engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options as opt
from .output import Json, emit


def export(
    model: Annotated[str, typer.Argument(help="A shipped name, a folder, or a hub id.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
    to: Annotated[str, typer.Option("--to", help="onnx, onnx-int8, openvino or portable.")] = "onnx-int8",
    calibration: Annotated[
        str | None,
        typer.Option("--calibration", help="Texts that 8-bit ranges are measured on; built-in ones by default."),
    ] = None,
    text_field: opt.TextField = None,
    download: opt.Download = False,
    as_json: Json = False,
) -> None:
    """Write a model as ONNX, 8-bit ONNX, OpenVINO or a portable folder, its vectors compared first."""
    from ..export import CALIBRATION_SENTENCES, export_model
    from ..records import read_records

    texts = None
    if calibration is not None:
        from itertools import islice

        records = read_records(calibration, text_field=text_field)
        texts = [record.text for record in islice(records, CALIBRATION_SENTENCES)]
    done = export_model(model, output, to=to, calibration=texts, download=download)
    if as_json:
        emit(done.as_dict())
    else:
        print(
            f"{model} -> {done.path} ({done.format}, {done.size_mb} MB); cosine to the full-precision {done.reference} "
            f"network: mean {done.mean_cosine:.4f}, worst {done.min_cosine:.4f}"
        )
