"""Nothing is sent, nothing is written outside the cache, and torch stays out of a plain encode."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import socket, sys
def refuse(*arguments):
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
from ko_sentence_transformers import load_model
model = load_model(sys.argv[1], engine=sys.argv[2])
assert model.encode(["오늘 날씨가 참 좋네요."]).shape == (1, 32)
loaded = {"torch", "transformers", "sentence_transformers", "datasets"} & set(sys.modules)
assert not loaded, loaded
"""


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("cache", ["on", "off"])
def test_encoding_sends_and_writes_nothing(tiny_model_folder: Path, tmp_path: Path, engine: str, cache: str) -> None:
    pytest.importorskip(engine)
    home, kept = tmp_path / "home", tmp_path / "cache"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "KO_ST_CACHE": str(kept) if cache == "on" else ""}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        environment.pop(name, None)
    subprocess.run([sys.executable, "-c", CODE, str(tiny_model_folder), engine], check=True, cwd=home, env=environment)
    assert not list(home.rglob("*"))
    assert kept.exists() == (cache == "on" and engine == "openvino")


def test_the_cache_is_the_users_own_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ko_sentence_transformers.engines.cache import cache_folder

    monkeypatch.delenv("KO_ST_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder("corpus") == tmp_path / "ko-sentence-transformers" / "corpus"


def test_the_cache_stays_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ko_sentence_transformers.engines import cache

    monkeypatch.setenv("KO_ST_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "MAX_BYTES", 100)
    for age, name in enumerate(("old", "newer", "newest")):
        (tmp_path / "part").mkdir(exist_ok=True)
        (tmp_path / "part" / name).write_bytes(bytes(50))
        os.utime(tmp_path / "part" / name, (age, age))
    cache.cache_folder("part")
    assert sorted(p.name for p in (tmp_path / "part").iterdir()) == ["newer", "newest"]
