"""``ko-st cluster`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ko_sentence_transformers import cli

for module in ("umap", "kiwipiepy", "matplotlib"):
    pytest.importorskip(module)

FILES = {"assignments.jsonl", "topics.json", "topics.csv", "hierarchy.json", "map.html", "map.png"}


@pytest.fixture
def rows(tmp_path) -> Path:
    places = ["서울", "부산", "대구", "광주", "제주", "인천", "수원"]
    lines = [
        {"id": f"{kind}{at}", "본문": pattern.format(place), "날짜": f"2024-{1 + at:02d}-03"}
        for kind, pattern in (("김", "{} 김치찌개가 매웠다"), ("축", "{} 축구 경기가 열렸다"))
        for at, place in enumerate(places)
    ]
    path = tmp_path / "글.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture
def run(capsys):
    def run(*arguments: object, code: int = 0) -> str:
        assert cli.run([str(argument) for argument in arguments]) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    return run


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_from_a_file_to_a_folder_and_on(rows, run, tmp_path, tiny_model_folder) -> None:
    out = tmp_path / "주제"
    fields = ["--text-field", "본문", "--date-field", "날짜", "--model", tiny_model_folder]
    summary = json.loads(run("cluster", rows, "--output", out, *fields, "--k", 2, "--seed", 7, "--json"))
    assert summary["texts"] == 14 and summary["method"] == "kmeans" and summary["seed"] == 7
    assert sum(topic["size"] for topic in summary["topics"]) == 14
    assert FILES | {"timeline.csv"} <= {path.name for path in out.iterdir()}
    first = read(out / "assignments.jsonl")
    assert [row["id"] for row in first] == [row["id"] for row in read(rows)]

    shuffled = tmp_path / "섞음.jsonl"
    shuffled.write_text("".join(rows.read_text("utf-8").splitlines(keepends=True)[::-1]), "utf-8")
    # Options first, and again into the same folder.
    run("cluster", "--output", out, *fields, "--k", 2, "--seed", 7, shuffled)
    assert read(out / "assignments.jsonl") == first[::-1]

    run("cluster", "rename", out, 1, "둘째")
    assert json.loads((out / "topics.json").read_text("utf-8"))[1]["name"] == "둘째"
    assert "둘째" in (out / "map.html").read_text("utf-8")
    new = tmp_path / "새.txt"
    new.write_text("울산 김치찌개가 매웠다\n\n", "utf-8")
    given = json.loads(run("cluster", "assign", out, new, "--json"))["assignments"]
    assert [row["id"] for row in given] == ["0", "1"] and given[0]["topic"] in (0, 1) and given[1]["topic"] == -1
    run("cluster", "assign", out, new, "--output", tmp_path / "새.jsonl")
    assert read(tmp_path / "새.jsonl") == given
    merged = json.loads(run("cluster", "merge", out, 0, 1, "--name", "전부", "--json"))
    assert merged["topics"] == [{"topic": 0, "size": 14, "name": "전부"}]


@pytest.mark.parametrize("text", ["단풍이 곱다", "단풍이 곱다\n단풍이 곱다", "\n단풍이 곱다\n  "])
def test_one_text_two_equal_texts_blank_texts(text, run, tmp_path, tiny_model_folder) -> None:
    (tmp_path / "글.txt").write_text(text, "utf-8")
    out = tmp_path / "주제"
    summary = json.loads(run("cluster", tmp_path / "글.txt", "--output", out, "--model", tiny_model_folder, "--json"))
    assert len(summary["topics"]) == 1
    assert summary["topics"][0]["size"] == len([line for line in text.splitlines() if line.strip()])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ('{"text": "가을", "d": "언제"}', ["--date-field", "d"], "row 1 (id 0), field 'd': '언제' is no date"),
        ('{"text": "가을"}', ["--date-field", "d"], "no field 'd'"),
        ('{"text": "가을"}', ["--k", "5"], "only 1 different texts"),
        ('{"text": " "}', [], "no text to group"),
        ('{"text": "가을"}', ["--k", "2", "--threshold", "0.5"], "exclude each other"),
        ('{"text": "가을"}', ["--threshold", "7"], "threshold is 7.0"),
    ],
)
def test_one_line_says_what_is_wrong(content, options, message, run, tmp_path, tiny_model_folder) -> None:
    (tmp_path / "글.jsonl").write_text(content, "utf-8")
    out = tmp_path / "주제"
    error = run("cluster", tmp_path / "글.jsonl", "--output", out, "--model", tiny_model_folder, *options, code=1)
    assert message in error and error.count("\n") == 1
    assert not out.exists()


def test_other_folders_are_left_alone(rows, run, tmp_path) -> None:
    (tmp_path / "내것").mkdir()
    (tmp_path / "내것" / "글.txt").write_text("귀한 글", "utf-8")
    assert "no folder of topics" in run("cluster", rows, "--output", tmp_path / "내것", code=1)
    assert "no folder of topics" in run("cluster", "rename", tmp_path / "내것", 0, "가", code=1)
    assert "no such file" in run("cluster", tmp_path / "없음.txt", "--output", tmp_path / "새", code=1)


def test_help_names_the_ways(run) -> None:
    assert "assign" in run("cluster", "--help")
    assert "--threshold" in run("cluster", "make", "--help")
