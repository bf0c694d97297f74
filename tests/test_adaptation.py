from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ko_sentence_transformers.adaptation import Pairing, adapt, corpus_pairs, gain, neighbours
from ko_sentence_transformers.cli import run
from ko_sentence_transformers.data import Pair, read_triplets
from ko_sentence_transformers.errors import InputError, OutputError
from ko_sentence_transformers.model import load_model
from ko_sentence_transformers.negatives import mine_negatives
from ko_sentence_transformers.records import Record
from training_data import sentences, tiny_bert

pytest.importorskip("sentence_transformers")
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("base"))


def corpus(path: Path, count: int = 80) -> Path:
    """Titles whose body repeats them with other words around: something to learn."""
    titles, fillers = sentences(count, seed=7), sentences(count, seed=8)
    rows = [{"제목": title, "본문": f"{filler} {title}"} for title, filler in zip(titles, fillers, strict=True)]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_mined_negatives_are_the_nearest_below_the_margin(base: Path) -> None:
    model = load_model(base)
    texts = sentences(60, seed=2)
    pairs = [Pair(one, two) for one, two in zip(texts[:30], texts[30:], strict=True)]
    margin = 0.02
    mined = mine_negatives(pairs, model, num_negatives=2, margin=margin)
    a, b = model.encode([p.anchor for p in pairs]), model.encode([p.positive for p in pairs])
    cosines = a @ b.T
    expected = set()
    for row in range(30):
        order = [c for c in np.argsort(-cosines[row], kind="stable") if c != row][:20]
        fitting = [c for c in order if cosines[row, c] < cosines[row, row] * (1 - margin)][:2]
        expected |= {(pairs[row].anchor, pairs[row].positive, pairs[c].positive) for c in fitting}
    assert {triplet.texts for triplet in mined.triplets} == expected and expected
    covered = {texts[:2] for texts in expected}
    assert [p.texts for p in mined.left] == [p.texts for p in pairs if p.texts not in covered]
    with pytest.raises(InputError, match="1 different positives"):
        mine_negatives([Pair("가", "나"), Pair("다", "나")], model)


def test_neighbouring_sentences_pair_up_within_a_text() -> None:
    long = [sentence + " 그리고 우리는 집에서 쉬었다." for sentence in sentences(5, seed=3)]
    records = [Record("0", " ".join([long[0], "네.", long[1], long[2]])), Record("1", f"{long[3]}\n{long[4]}")]
    assert list(neighbours(records)) == [Pair(long[0], long[1]), Pair(long[3], long[4])]


def test_pairs_come_from_columns_or_sentences(tmp_path: Path) -> None:
    named = corpus(tmp_path / "own.jsonl", 6)
    assert len(corpus_pairs(named, Pairing("제목", "본문"))) == 6
    with pytest.raises(InputError, match=r"--text-field"):
        corpus_pairs(named, Pairing())
    (tmp_path / "usual.tsv").write_text("title\tbody\n가나다\t라마바\n", encoding="utf-8")
    assert [pair.texts for pair in corpus_pairs(tmp_path / "usual.tsv", Pairing())] == [("가나다", "라마바")]
    (tmp_path / "short.txt").write_text("네.\n예.\n", encoding="utf-8")
    with pytest.raises(InputError, match="--anchor and --positive"):
        corpus_pairs(tmp_path / "short.txt", Pairing())


def test_adapt_tunes_measures_and_leaves_one_folder(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = corpus(tmp_path / "own.jsonl")
    output = tmp_path / "tuned"
    command = ["adapt", str(own), "--output", str(output), "--model", str(base), "--holdout", "16", "--json"]
    command += ["--anchor", "제목", "--positive", "본문", "--set", "train.epochs=8"]
    command += ["--set", "train.learning_rate=1e-3"]
    assert run([*command, "--set", "train.batch_size=16", "--set", "train.precision=fp32"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["before"]["pairs"] == 16 and report["before"]["documents"] == 80 and report["pairs"] <= 64
    assert report["after"]["recall_at_1"] > report["before"]["recall_at_1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.jsonl", "tuned"]
    assert json.loads((output / "adapt.json").read_text())["after"] == report["after"]
    rows = [json.loads(line) for line in own.read_text(encoding="utf-8").splitlines()]
    held = [Pair(row["제목"], row["본문"]) for row in rows][-16:]
    others = [row["본문"] for row in rows][:-16]
    measured = gain(load_model(output), held, others)
    assert measured.recall_at_10 == report["after"]["recall_at_10"]
    # By hand: how many titles have their own body among the ten nearest.
    model = load_model(output)
    scores = model.encode([p.anchor for p in held]) @ model.encode([*(p.positive for p in held), *others]).T
    ranks = (scores > np.diag(scores)[:, None]).sum(axis=1)
    assert measured.recall_at_10 == pytest.approx(100 * np.mean(ranks < 10), abs=0.01)
    with pytest.raises(OutputError, match="already exists"):
        adapt(own, output, model=base)


def test_mine_negatives_writes_what_a_recipe_reads(base: Path, tmp_path: Path) -> None:
    own = tmp_path / "pairs.tsv"
    texts = sentences(40, seed=9)
    lines = [f"{one}\t{two}" for one, two in zip(texts[:20], texts[20:], strict=True)]
    own.write_text("query\tdoc\n" + "\n".join(lines) + "\n", encoding="utf-8")
    output = tmp_path / "triplets.jsonl"
    assert run(["mine-negatives", str(own), "--output", str(output), "--model", str(base), "--margin", "0"]) == 0
    assert all(row.negative in texts[20:] for row in read_triplets(output))
