"""Model folders for other readers and quicker engines: ONNX, 8-bit ONNX, OpenVINO, portable."""

from __future__ import annotations

from .exporting import CALIBRATION_SENTENCES, FORMATS, ExportReport, export_model, write_full_precision

__all__ = ["CALIBRATION_SENTENCES", "FORMATS", "ExportReport", "export_model", "write_full_precision"]
