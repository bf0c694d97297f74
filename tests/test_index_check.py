"""The check of an index finds each kind of damage and says a repair that works."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from fake_encoder import FakeEncoder
from ko_sentence_transformers import Record, SearchIndex, cli
from ko_sentence_transformers.errors import IndexFolderError, UnknownModelError
from ko_sentence_transformers.index import ann, check

TEXTS = [f"제{number}조 해고는 {number}일 전에 예고한다" for number in range(60)]


@pytest.fixture
def folder(tmp_path) -> Path:
    with SearchIndex.create(tmp_path / "index", encoder=FakeEncoder(), analyser="ngram") as index:
        index.build([Record(f"r{number}", text) for number, text in enumerate(TEXTS)])
    return tmp_path / "index"


@pytest.fixture
def cells(tmp_path, monkeypatch) -> Path:
    """An index with a vector file."""
    pytest.importorskip("faiss")
    monkeypatch.setattr(ann, "EXACT_NUMBERS", 1000)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((600, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[5] = 0  # a blank text
    with SearchIndex.create(tmp_path / "cells", dim=16, analyser="ngram") as index:
        index.add([Record(str(number), f"글 {number}") for number in range(600)], embeddings=vectors)
        index.delete(["3", "4"])
    return tmp_path / "cells"


def spoil(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "index.sqlite")
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def found(folder: Path) -> str:
    return " / ".join(problem.what for problem in check(folder))


def test_a_whole_index_has_no_problem(folder, cells):
    assert check(folder, load=lambda name: FakeEncoder()) == () == check(cells)
    with SearchIndex.open(cells) as index:
        assert not index._vectors.exact


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM words WHERE rowid = 7", "1 chunks have no words"),
        ("UPDATE words SET terms = '엉뚱한 말'", "words of 60 of 60 chunks"),
        ("UPDATE words_data SET block = zeroblob(length(block)) WHERE id > 10", "full-text index is damaged"),
        ("UPDATE meta SET value = '\"ngram rules 0\"' WHERE name = 'analyser'", "ngram rules 0"),
    ],
)
def test_words_are_repaired_by_compact(folder, statement, what):
    spoil(folder, statement)
    problems = check(folder)
    assert len(problems) == 1 and what in problems[0].what and "index compact" in problems[0].repair
    with SearchIndex.open(folder, encoder=FakeEncoder()) as index:
        index.compact()
        assert index.search("제26조", 1, mode="lexical")[0].id == "r26"
    assert check(folder) == ()


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM chunk WHERE chunk = 7", "1 documents without a chunk"),
        ("DELETE FROM document WHERE doc = 7", "1 chunks without a document"),
        ("UPDATE chunk SET embedding = x'00' WHERE chunk = 7", "1 embeddings that do not have"),
        ("UPDATE meta SET value = '61' WHERE name = 'chunks'", "says 61 chunks and holds 60"),
    ],
)
def test_damaged_rows_need_a_copy(folder, statement, what):
    spoil(folder, statement)
    assert what in found(folder) and "build it again" in check(folder)[0].repair


def test_embeddings_of_no_unit_length(folder):
    with SearchIndex.open(folder) as index:
        dim = index.info().dim
    spoil(folder, f"UPDATE chunk SET embedding = x'{np.full(dim, 3, '<f4').tobytes().hex()}' WHERE chunk < 4")
    assert "3 embeddings are not of unit length" in found(folder)


def test_the_vector_file(cells):
    path = next(cells.glob("vectors-*.faiss"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-8] + b"\0" * 8)
    assert "content" in found(cells)
    path.unlink()
    assert "is missing" in found(cells) and "index compact" in check(cells)[0].repair
    path.write_bytes(whole)
    assert check(cells) == ()


def test_a_vector_file_of_other_rows(cells):
    blob = np.eye(16, dtype="<f4")[0].tobytes().hex()
    spoil(cells, f"UPDATE chunk SET embedding = x'{blob}' WHERE chunk != 6")
    assert "other embeddings" in found(cells)
    with SearchIndex.open(cells) as index:
        index.compact()
    assert check(cells) == ()


def test_a_cut_off_build_and_another_model(folder):
    spoil(folder, "UPDATE meta SET value = 'false' WHERE name = 'complete'")
    assert "cut off" in found(folder)

    def missing(name: str):
        raise UnknownModelError("no such model")

    assert "cannot be loaded: no such model" in check(folder, load=missing)[-1].what
    other = check(folder, load=lambda name: FakeEncoder(salt=9))[-1]
    assert "embeddings" in other.what and "--model" in other.repair


def test_a_damaged_file(folder):
    path = folder / "index.sqlite"
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 4096 - 1):
        data[4096 * page : 4096 * page + 200] = b"\xff" * 200
    path.write_bytes(data)
    try:
        assert "damaged" in found(folder)
    except IndexFolderError as error:
        assert "damaged" in str(error)


def test_the_command_exits_with_1(folder, capsys):
    assert cli.run(["index", "info", str(folder), "--check", "--model", "없는-모델", "--json"]) == 1
    assert "cannot be loaded" in json.loads(capsys.readouterr().out)["problems"][0]["what"]
    spoil(folder, "DELETE FROM words WHERE rowid = 7")
    assert cli.run(["index", "info", str(folder), "--check", "--model", "없는-모델"]) == 1
    assert "wrong: 1 chunks have no words" in capsys.readouterr().out
    assert cli.run(["index", "info", str(folder), "--json"]) == 0
    assert "problems" not in json.loads(capsys.readouterr().out)
