"""The command as a user meets it: JSON on stdout, one line on stderr, exit codes, no network."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from conftest import SENTENCES
from ko_sentence_transformers.cli import run


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    rows = [{"id": f"글{i}", "title": "", "text": text} for i, text in enumerate(SENTENCES)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def ok(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def fails(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert run(list(arguments)) == code
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and "Traceback" not in captured.err
    return captured.err


def test_similarity(capsys, tiny_model_folder: Path, tiny_model) -> None:
    document = ok(capsys, "similarity", SENTENCES[0], SENTENCES[1], "--model", str(tiny_model_folder))
    a, b = tiny_model.encode(SENTENCES[:2])
    assert document["score"] == pytest.approx(float(a @ b), abs=1e-4)
    assert run(["similarity", "같다", "같다", "--model", str(tiny_model_folder)]) == 0
    assert capsys.readouterr().out == "1.0000\n"


def test_search_finds_the_nearest(capsys, corpus: Path, tiny_model_folder: Path) -> None:
    hits = ok(capsys, "search", str(corpus), SENTENCES[2], "-k", "3", "--model", str(tiny_model_folder))["hits"]
    assert len(hits) == 3 and {"id", "score", "text"} <= set(hits[0])
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    again = ok(capsys, "search", str(corpus), SENTENCES[2], "-k", "3", "--model", str(tiny_model_folder))["hits"]
    assert again == hits  # from the cache


def test_search_more_than_there_are(capsys, corpus: Path, tiny_model_folder: Path) -> None:
    hits = ok(capsys, "search", str(corpus), "질문", "-k", "99", "--model", str(tiny_model_folder))["hits"]
    assert len(hits) == len(SENTENCES)


def test_encode(capsys, corpus: Path, tmp_path: Path, tiny_model_folder: Path, tiny_model) -> None:
    output = tmp_path / "out.npy"
    document = ok(
        capsys, "encode", str(corpus), "-o", str(output), "--model", str(tiny_model_folder), "--engine", "openvino"
    )
    assert (document["rows"], document["dim"]) == (10, 32)
    np.testing.assert_allclose(np.load(output), tiny_model.encode(SENTENCES), atol=1e-5)


def test_models_lists_and_knows_the_published_ones(capsys) -> None:
    rows = {row["name"]: row for row in ok(capsys, "models")["models"]}
    assert rows["ko-sbert-small"]["dim"] == 768 and rows["ko-sbert-small"]["on_disk"]
    assert {"name", "dim", "max_seq_length", "size_mb", "license", "on_disk"} <= set(rows["ko-sbert-nli"])


def test_usage_errors_are_two(capsys) -> None:
    assert "Missing argument" in fails(capsys, 2, "similarity", "하나")
    assert "No such option" in fails(capsys, 2, "models", "--nonsense")
    assert "No such command" in fails(capsys, 2, "serach")


def test_failures_are_one_line(capsys, corpus: Path, tmp_path: Path, tiny_model_folder: Path) -> None:
    model = ("--model", str(tiny_model_folder))
    assert "no such file" in fails(capsys, 1, "search", "none.jsonl", "질문", *model)
    assert "-k is 0" in fails(capsys, 1, "search", str(corpus), "질문", "-k", "0", *model)
    assert "blank" in fails(capsys, 1, "search", str(corpus), "  ", *model)
    assert "did you mean" in fails(capsys, 1, "similarity", "가", "나", "--model", "ko-sbert-smal")
    blank = tmp_path / "blank.txt"
    blank.write_text(" \n\n")
    assert "no text in it" in fails(capsys, 1, "search", str(blank), "질문", *model)
    for option, value in (("--on-truncation", "cut"), ("--truncate-dim", "99"), ("--engine", "tpu")):
        message = fails(capsys, 1, "encode", str(corpus), "-o", str(tmp_path / "o.npy"), *model, option, value)
        assert value in message
    assert not (tmp_path / "o.npy").exists()


def test_names_of_files_in_nfd_work(capsys, tmp_path: Path, tiny_model_folder: Path) -> None:
    path = tmp_path / unicodedata.normalize("NFD", "문장.txt")
    path.write_text(unicodedata.normalize("NFD", "\n".join(SENTENCES)))
    hits = ok(capsys, "search", str(path), SENTENCES[0], "-k", "1", "--model", str(tiny_model_folder))["hits"]
    assert unicodedata.normalize("NFC", hits[0]["text"]) in SENTENCES


def test_a_lone_surrogate_in_json_is_named(capsys, tmp_path: Path, tiny_model_folder: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "좋다 \\ud83d"}\n')
    message = fails(capsys, 1, "encode", str(path), "-o", str(tmp_path / "o.npy"), "--model", str(tiny_model_folder))
    assert "lone surrogate" in message


def test_version_and_help_start_quickly() -> None:
    for arguments in (["--version"], ["--help"], ["search", "--help"]):
        done = subprocess.run(
            [sys.executable, "-m", "ko_sentence_transformers", *arguments], capture_output=True, text=True, check=True
        )
        assert done.stdout and not done.stderr
