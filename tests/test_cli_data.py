import json

import pytest

from ko_sentence_transformers.cli import run

GOOD = "sentence1\tsentence2\tscore\n바다가 넓다\t바다는 넓다\t4.5\n산이 높다\t고양이가 잔다\t0.5\n"


@pytest.fixture
def korsts(tmp_path):
    path = tmp_path / "korsts_test.tsv"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_list(capsys):
    assert run(["data", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in document["datasets"]] == ["korsts", "kornli", "klue-sts", "klue-nli"]
    assert document["datasets"][0]["splits"] == {"train": 5749, "dev": 1500, "test": 1379}
    assert run(["data", "list"]) == 0
    assert "CC BY-SA 4.0" in capsys.readouterr().out


def test_check_a_file(korsts, capsys):
    assert run(["data", "check", str(korsts), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["kind"], document["rows"]["kept"]) == (True, "sts", 2)
    korsts.write_text(GOOD + "가\t나\t9\n" + GOOD.splitlines()[1] + "\n", encoding="utf-8")
    assert run(["data", "check", str(korsts)]) == 1
    out = capsys.readouterr().out
    assert "4 rows, 3 kept" in out
    assert "line 4: score 9 is outside 0 to 5" in out
    assert "1 exact duplicates (line 5 is line 2)" in out


def test_check_against_a_test_file(korsts, tmp_path, capsys):
    train = tmp_path / "train.jsonl"
    train.write_text('{"질문": "바다가, 넓다!", "답": "그렇다"}\n', encoding="utf-8")
    arguments = ["data", "check", str(train), "--kind", "pairs", "--column", "anchor=질문", "--column", "positive=답"]
    assert run([*arguments, "--against", str(korsts), "--json"]) == 0
    overlap = json.loads(capsys.readouterr().out)["overlap"]
    assert (overlap["rows_sharing_a_sentence"], overlap["rows_shared_whole"]) == (1, 0)
    assert run([*arguments, "--against", str(korsts)]) == 0
    assert "1 rows share a sentence" in capsys.readouterr().out


def test_check_a_folder(korsts, capsys):
    assert run(["data", "check", str(korsts.parent), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["files"]
    assert (row["dataset"], row["split"], row["checksum"], row["expected_rows"]) == ("korsts", "test", "other", 1379)
    assert run(["data", "check", str(korsts.parent)]) == 0
    assert "korsts test, checksum other; 2 rows, 2 kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "check", "none.tsv"], "none.tsv: no such file"),
        (["data", "download", "kornlu", "--output", "x"], "no data set 'kornlu'"),
        (["data", "check", "{file}", "--kind", "stts"], "no kind of rows 'stts'"),
        (["data", "check", "{file}", "--column", "score"], "is not FIELD=NAME"),
    ],
)
def test_errors_are_one_line(korsts, capsys, arguments, message):
    assert run([argument.format(file=korsts) for argument in arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err
