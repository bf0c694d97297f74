import json
import logging

import pytest

from character_encoder import CharacterEncoder
from ko_sentence_transformers import model as model_module
from ko_sentence_transformers.cli import run

ROWS = [
    ("바다가 넓다", "바다는 넓다", 4.5),
    ("산이 높다", "고양이가 잔다", 0.5),
    ("비가 온다", "비가 내린다", 4.0),
    ("버스를 탄다", "버스를 기다린다", 2.5),
    ("노래를 한다", "병원에 간다", 0.0),
]
CARD = [
    "- Cosine Pearson",
    "- Cosine Spearman",
    "- Euclidean Pearson",
    "- Euclidean Spearman",
    "- Manhattan Pearson",
    "- Manhattan Spearman",
    "- Dot Pearson",
    "- Dot Spearman",
]


@pytest.fixture
def korsts(tmp_path):
    path = tmp_path / "sts-test.tsv"
    lines = ["sentence1\tsentence2\tscore", *("\t".join(map(str, row)) for row in ROWS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def models(monkeypatch):
    def load_model(name, *, download=False):
        return CharacterEncoder(seed=len(name), name=name)

    monkeypatch.setattr(model_module, "load_model", load_model)


def test_json_has_the_named_keys_from_a_file_and_from_its_folder(korsts, capsys):
    documents = []
    for place in (korsts, korsts.parent, f"korsts={korsts}"):
        assert run(["evaluate", "하나", "--task", "korsts", "--data", str(place), "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0] == documents[1] == documents[2]
    document = documents[0]["korsts"]
    assert document["n"] == 5
    names = [f"{s}_{c}" for s in ("cosine", "euclidean", "manhattan", "dot") for c in ("pearson", "spearman")]
    assert all(-100 <= document[name] <= 100 for name in names)
    assert set(document) == {"n", *names, "cosine_spearman_interval"}


def test_the_lines_are_the_cards(korsts, capsys):
    assert run(["evaluate", "하나", "--task", "korsts", "--data", str(korsts), "--dims", "32,8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "korsts (n = 5)"
    assert [line.split(":")[0] for line in lines[1:9]] == CARD
    assert lines[9].startswith("  95% interval of Cosine Spearman: ")
    assert lines[10].split() == ["dimensions", "32", "8"]
    assert len(lines) == 19


def test_several_tasks(korsts, tmp_path, capsys):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("query\tdoc\n바다 어디\t바다 여기\n산 어디\t산 여기\n", encoding="utf-8")
    arguments = ["evaluate", "하나", "--task", "korsts", "--task", "retrieval", "--task", "bitext"]
    data = ["--data", f"korsts={korsts}", "--data", f"retrieval={pairs}", "--data", f"bitext={pairs}"]
    assert run([*arguments, *data, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["korsts", "retrieval", "bitext"]
    assert document["retrieval"]["recall_at_10"] == 100
    assert run([*arguments, *data]) == 0
    out = capsys.readouterr().out
    assert "- nDCG@10: " in out
    assert "- Recall@100: 100.00" in out
    assert "- MRR: " in out


def test_plot(korsts, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    target = tmp_path / "plots/scatter.svg"
    arguments = ["evaluate", "하나", "--task", "korsts", "--data", str(korsts), "--plot", str(target), "--json"]
    assert run(arguments) == 0
    assert target.read_text(encoding="utf-8").lstrip().startswith("<?xml")
    json.loads(capsys.readouterr().out)


def test_compare(korsts, capsys):
    arguments = ["compare", "하나", "둘셋넷", "--task", "korsts", "--data", str(korsts)]
    assert run([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["korsts"]
    assert list(result) == ["n", "metric", "a", "b", "difference", "interval", "p"]
    assert result["difference"] == pytest.approx(result["a"] - result["b"])
    assert 0 < result["p"] <= 1
    assert run(arguments) == 0
    assert "95% interval" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "korsst", "--data", "{file}"], "no task 'korsst'; there are korsts"),
        (["--task", "korsts", "--data", "none.tsv"], "none.tsv: no such file or folder"),
        (["--task", "korsts", "--data", "{file}", "--dims", "a,b"], "is not a list of numbers"),
        (["--task", "korsts", "--data", "{file}", "--dims", "64"], "dimension 64 is asked for"),
        (["--task", "korsts", "--data", "{file}", "--prompt", "passage"], "prompt_name 'passage' is unknown"),
        (["--task", "korsts", "--data", "a", "--data", "b"], "with several, each is TASK=PATH"),
        (["--task", "bitext", "--data", "korsts={file}"], "no data for task bitext"),
    ],
)
def test_errors_are_one_line(korsts, capsys, arguments, message):
    assert run(["evaluate", "하나", *(argument.format(file=korsts) for argument in arguments)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_two_tasks_are_not_one_plot(korsts, tmp_path, capsys, caplog):
    pytest.importorskip("matplotlib")
    arguments = ["--task", "korsts", "--task", "klue-sts", "--data", f"korsts={korsts}", "--data", f"klue-sts={korsts}"]
    with caplog.at_level(logging.WARNING):
        assert run(["evaluate", "하나", *arguments, "--plot", str(tmp_path / "a.png")]) == 1
    assert "--plot draws one task" in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()
