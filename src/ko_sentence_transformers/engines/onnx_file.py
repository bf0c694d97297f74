"""What can be read off an ONNX file without a runtime: who wrote it, and its weights.

A minimal reader of the protobuf wire format (https://protobuf.dev/programming-guides/encoding/): the few fields of
ModelProto, GraphProto and TensorProto that are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFolderError

# Field 2 of ModelProto in files whose graph keeps the texts of a row apart (export/graph.py).
PACKED_PRODUCER = "ko-sentence-transformers/packed"
_TYPES: dict[int, np.dtype[Any]] = {
    number: np.dtype(name) for number, name in {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8"}.items()
}
_VARINT, _BYTES = 0, 2


def packs(path: Path) -> bool:
    """Return whether the graph keeps several texts of a row apart, from the producer that the file names.

    ONNX names it at the start, OpenVINO's XML at the end.
    """
    with path.open("rb") as stream:
        if path.suffix == ".xml":
            stream.seek(max(0, path.stat().st_size - 4096))
        return PACKED_PRODUCER.encode() in stream.read(256 if path.suffix == ".onnx" else 4096)


def read_initializers(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return the named weights of an ONNX file.

    :raises ModelFolderError: if the file is cut off or damaged.
    """
    try:
        data = memoryview(path.read_bytes())
        return dict(_tensor(tensor) for graph in _fields(data, 7) for tensor in _fields(graph, 5))
    except (IndexError, ValueError, KeyError) as error:
        raise ModelFolderError(f"{path} is cut off or damaged: {error}") from error


def _tensor(data: memoryview) -> tuple[str, NDArray[np.generic]]:
    dims: list[int] = []
    numbers: list[int] = []
    kind, name, raw = 0, "", memoryview(b"")
    for field, wire, value in _walk(data):
        if field == 1 and wire == _VARINT:
            dims.append(_integer(value))
        elif field == 1:
            dims += _packed(value)
        elif field == 2:
            kind = _integer(value)
        elif field == 8:
            name = bytes(value).decode()
        elif field == 9 or (field == 4 and wire == _BYTES):  # raw bytes, or a run of little-endian floats
            raw = value
        elif field in (5, 7):  # small tensors are often written as integers instead
            numbers += _packed(value) if wire == _BYTES else [_integer(value)]
    if numbers:
        signed = np.array(numbers, dtype=np.uint64).astype(np.int64)
        return name, signed.astype(_TYPES[kind]).reshape(dims)
    return name, np.frombuffer(raw, dtype=_TYPES[kind]).reshape(dims)


def _fields(data: memoryview, wanted: int) -> Iterator[memoryview]:
    return (value for field, wire, value in _walk(data) if field == wanted and wire == _BYTES)


def _walk(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield ``(field number, wire type, bytes of the value)``."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        field, wire = key >> 3, key & 7
        start = position
        if wire == _VARINT:
            _, position = _varint(data, position)
        elif wire == _BYTES:
            size, start = _varint(data, position)
            position = start + size
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {position}")
        if position > len(data):
            raise ValueError(f"{position - len(data)} bytes are missing at the end")
        yield field, wire, data[start:position]


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7


def _integer(value: memoryview) -> int:
    return _varint(value, 0)[0]


def _packed(value: memoryview) -> list[int]:
    out, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        out.append(number)
    return out
