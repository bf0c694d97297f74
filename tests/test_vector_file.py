"""encode_file(): three formats, streaming, resuming, and no half-written output."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conftest import SENTENCES
from ko_sentence_transformers import encode, encoding
from ko_sentence_transformers.errors import InputError, OutputError
from ko_sentence_transformers.records import Record
from ko_sentence_transformers.vector_file import EncodeOptions, encode_file

RECORDS = [Record(f"번호{i}", SENTENCES[i % 10] + "." * (i % 5)) for i in range(50)]


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "WINDOW", 8)


@pytest.fixture
def expected(tiny_model) -> np.ndarray:
    return encode(tiny_model, [record.text for record in RECORDS])


def test_npy(tiny_model, tmp_path: Path, expected: np.ndarray) -> None:
    done = encode_file(tiny_model, iter(RECORDS), tmp_path / "out.npy")
    assert (done.rows, done.dim) == (50, 32)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-5)
    assert np.load(tmp_path / "out.npy", mmap_mode="r").shape == (50, 32)
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]


def test_safetensors_and_parquet(tiny_model, tmp_path: Path, expected: np.ndarray) -> None:
    from safetensors.numpy import load_file

    encode_file(tiny_model, iter(RECORDS), tmp_path / "out.safetensors", options=EncodeOptions(truncate_dim=16))
    short = expected[:, :16] / np.linalg.norm(expected[:, :16], axis=1, keepdims=True)
    np.testing.assert_allclose(load_file(tmp_path / "out.safetensors")["embeddings"], short, atol=1e-5)
    parquet = pytest.importorskip("pyarrow.parquet")
    encode_file(tiny_model, iter(RECORDS), tmp_path / "out.parquet")
    table = parquet.read_table(tmp_path / "out.parquet").to_pydict()
    assert table["id"] == [record.id for record in RECORDS]
    np.testing.assert_allclose(np.array(table["embedding"]), expected, atol=1e-5)


def test_no_rows(tiny_model, tmp_path: Path) -> None:
    encode_file(tiny_model, iter([]), tmp_path / "out.npy")
    assert np.load(tmp_path / "out.npy").shape == (0, 32)


def interrupted(after: int) -> Iterator[Record]:
    yield from RECORDS[:after]
    raise KeyboardInterrupt


def test_resume_goes_on_to_the_same_vectors(tiny_model, tmp_path: Path, expected: np.ndarray) -> None:
    output = tmp_path / "out.npy"
    with pytest.raises(KeyboardInterrupt):
        encode_file(tiny_model, interrupted(30), output, resume_key="a")
    assert not output.exists()
    done = encode_file(tiny_model, iter(RECORDS), output, resume_key="a")
    assert 0 < done.resumed_rows <= 30
    np.testing.assert_allclose(np.load(output), expected, atol=1e-5)
    assert [p.name for p in tmp_path.iterdir()] == ["out.npy"]


def test_another_work_does_not_resume(tiny_model, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        encode_file(tiny_model, interrupted(30), tmp_path / "out.npy", resume_key="a")
    assert encode_file(tiny_model, iter(RECORDS), tmp_path / "out.npy", resume_key="b").resumed_rows == 0


def test_interrupt_leaves_nothing_and_the_old_output(tiny_model, tmp_path: Path) -> None:
    output = tmp_path / "out.npy"
    output.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        encode_file(tiny_model, interrupted(20), output)
    assert output.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["out.npy"]


def test_a_full_disk_is_one_line_and_keeps_the_old_output(
    tiny_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.npy"
    output.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        encode_file(tiny_model, iter(RECORDS), output)
    assert output.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["out.npy"]


def test_bad_output(tiny_model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown kind of output"):
        encode_file(tiny_model, iter(RECORDS), tmp_path / "out.h5")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        encode_file(tiny_model, iter(RECORDS), tmp_path / "folder.npy")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        encode_file(tiny_model, iter(RECORDS), tmp_path / "file" / "out.npy")
