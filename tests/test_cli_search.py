"""The verbs index, search, duplicates and paraphrases, run as a user runs them."""

from __future__ import annotations

import json

import pytest

from ko_sentence_transformers import cli

ROWS = [
    {"id": "가", "text": "해고는 적어도 30일 전에 예고하여야 한다.", "year": 2024, "title": "해고의 예고"},
    {"id": "나", "text": "보증금은 계약이 끝나면 돌려주어야 한다.", "year": 2020},
    {"id": "다", "text": "강아지는 목줄을 하고 산책하여야 한다.", "year": 2022},
    {"id": "라", "text": "강아지는 목줄을 하고 산책하여야 한다.", "year": 2023},
]


@pytest.fixture
def run(capsys):
    def run(*arguments: object) -> dict:
        code = cli.run([*map(str, arguments), "--json"])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return json.loads(captured.out)

    return run


@pytest.fixture
def fails(capsys):
    def fails(*arguments: object) -> str:
        assert cli.run([*map(str, arguments)]) == 1
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1
        return captured.err

    return fails


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS))
    return path


@pytest.fixture
def built(run, corpus, tmp_path, tiny_model_folder):
    folder = tmp_path / "index"
    made = run("index", "build", corpus, "--index", folder, "--model", tiny_model_folder, "--analyser", "ngram")
    assert made == {"rows": 4, "added": 4, "updated": 0, "unchanged": 0}
    return folder


def test_an_index_through_its_life(run, built, corpus, tiny_model_folder):
    facts = run("index", "info", built)
    assert facts["rows"] == 4 and facts["dim"] == 32 and facts["complete"] and facts["search"] == "exact"
    assert facts["model"] == str(tiny_model_folder) and facts["fields"] == ["title", "year"]
    for mode in ("hybrid", "dense", "lexical"):
        found = run("search", built, "해고 예고", "-k", 1, "--mode", mode)["hits"]
        assert len(found) == 1 and {"id", "score", "text", "metadata", "chunk", "start", "stop", "marked"} <= set(
            found[0]
        )
    assert found[0]["id"] == "가" and found[0]["metadata"]["year"] == 2024 and "why" not in found[0]
    hits = run("search", built, "산책", "--where", "year >= 2022 and year < 2024", "--explain")["hits"]
    assert {hit["id"] for hit in hits} == {"다", "라"} and hits[0]["why"]["words"] == ["산책"]
    assert run("index", "add", built, corpus)["unchanged"] == 4
    corpus.write_text(json.dumps({"id": "가", "text": "고양이", "year": 2025}))
    assert run("index", "update", built, corpus)["updated"] == 1
    assert run("index", "delete", built, "나", "없음") == {"deleted": 1, "rows": 3}
    assert run("index", "compact", built)["rows"] == 3
    assert run("index", "tune", built)["chosen"] is None


def test_chunks(run, corpus, tmp_path, tiny_model_folder):
    corpus.write_text(json.dumps({"id": "긴 글", "text": "보증금을 돌려준다. 강아지가 짖는다. " * 40}))
    folder = tmp_path / "index"
    run("index", "build", corpus, "--index", folder, "-m", tiny_model_folder, "--chunk", "--analyser", "ngram")
    facts = run("index", "info", folder)
    assert facts["rows"] == 1 and facts["chunks"] > 3 and facts["chunk_characters"] > 30


def test_errors_are_one_line(run, fails, built, corpus, tmp_path, tiny_model_folder):
    assert "index update" in fails("index", "build", corpus, "--index", built)
    assert "no search index" in fails("index", "info", tmp_path / "none")
    assert "no search index" in fails("search", corpus, "가", "--mode", "lexical")
    assert "cannot be read at character" in fails("search", built, "가", "--mode", "lexical", "--where", "year >")
    assert "blank" in fails("search", built, " ")
    corpus.write_text(json.dumps({"id": "가", "text": "다른 글"}))
    assert "use update" in fails("index", "add", built, corpus)
    corpus.write_text("{")
    assert "broken JSON" in fails("index", "update", built, corpus)
    assert run("index", "info", built)["rows"] == 4
    assert "id 이름" not in fails("index", "add", built, corpus, "--id-field", "id 이름")


def test_duplicates_writes_what_remains(run, fails, corpus, tmp_path, tiny_model_folder):
    output = tmp_path / "kept.jsonl"
    found = run("duplicates", corpus, "--threshold", "0.9999", "-o", output, "-m", tiny_model_folder)
    assert found["groups"] == [["다", "라"]] and found["kept"] == 3
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["id"] for row in rows] == ["가", "나", "다"] and rows[0]["title"] == "해고의 예고"
    run("duplicates", corpus, "--threshold", "0.9999", "-o", tmp_path / "kept.txt", "-m", tiny_model_folder)
    assert (tmp_path / "kept.txt").read_text().splitlines() == [row["text"] for row in ROWS[:3]]
    assert ".csv" in fails("duplicates", corpus, "-o", tmp_path / "kept.csv", "-m", tiny_model_folder)
    assert "threshold" in fails("duplicates", corpus, "--threshold", 2, "-m", tiny_model_folder)
    corpus.write_text('{"id": 1, "text": "가"}\n{"id": 1, "text": "나"}')
    assert "'1' occurs twice" in fails("duplicates", corpus, "-m", tiny_model_folder)


def test_paraphrases(run, corpus, tiny_model_folder):
    pairs = run("paraphrases", corpus, "-n", 1, "-m", tiny_model_folder)["pairs"]
    assert len(pairs) == 1 and {pairs[0]["id1"], pairs[0]["id2"]} == {"다", "라"} and pairs[0]["score"] == 1
