"""The public data sets in a folder, NLI triplets, and the overlap of training and test rows."""

import os
import subprocess
import sys

import pytest

from ko_sentence_transformers.data import (
    NliRow,
    Pair,
    ScoredPair,
    Triplet,
    find_overlap,
    get_dataset,
    klue_nli,
    klue_sts,
    kornli,
    korsts,
    list_datasets,
    nli_triplets,
    overlap_key,
    without_overlap,
)
from ko_sentence_transformers.data.checks import check_folder
from ko_sentence_transformers.errors import InputError

STS = "genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2\nm\tf\t2012\t1\t{}\t가나다\t라마바\n"
NLI = "sentence1\tsentence2\tgold_label\n{}\t나\tentailment\n"


@pytest.fixture
def kornlu(tmp_path):
    for folder in ("KorSTS", "KorNLI"):
        (tmp_path / folder).mkdir()
    for number, split in enumerate(("train", "dev", "test")):
        (tmp_path / f"KorSTS/sts-{split}.tsv").write_text(STS.format(number), encoding="utf-8")
    names = ("snli_1.0_train.ko", "multinli.train.ko", "xnli.dev.ko", "xnli.test.ko")
    for name in names:
        (tmp_path / f"KorNLI/{name}.tsv").write_text(NLI.format(name), encoding="utf-8")
    return tmp_path


def test_a_kornlu_folder(kornlu):
    assert [korsts(kornlu, split)[0].score for split in ("train", "dev", "test")] == [0, 1, 2]
    assert [row.premise for row in kornli(kornlu)] == ["snli_1.0_train.ko", "multinli.train.ko"]
    assert [row.premise for row in kornli(kornlu, "dev")] == ["xnli.dev.ko"]
    assert korsts(kornlu / "KorSTS", "test")[0].score == 2
    assert korsts(kornlu / "KorSTS/sts-dev.tsv", "test")[0].score == 1  # a named file is read as it is


def test_other_names(tmp_path):
    (tmp_path / "korsts_test.tsv").write_text("sentence1\tsentence2\tscore\n가\t나\t1\n", encoding="utf-8")
    (tmp_path / "klue_nli_train.tsv").write_text(NLI.format("가"), encoding="utf-8")
    (tmp_path / "klue-sts-v1.1_dev.json").write_text(
        '[{"sentence1": "a", "sentence2": "b", "labels": {"real-label": 2.5}}]', encoding="utf-8"
    )
    assert korsts(tmp_path)[0] == ScoredPair("가", "나", 1.0)
    assert klue_nli(tmp_path)[0].premise == "가"
    assert klue_sts(tmp_path)[0].score == 2.5


def test_what_is_missing_is_named(kornlu):
    (kornlu / "KorNLI/multinli.train.ko.tsv").unlink()
    with pytest.raises(InputError, match=r"no kornli train file; looked for KorNLI/multinli\.train\.ko\.tsv"):
        kornli(kornlu)
    with pytest.raises(InputError, match="klue-sts has no split 'test'; it has train, dev"):
        klue_sts(kornlu, "test")
    with pytest.raises(InputError, match="no such file or folder"):
        korsts(kornlu / "elsewhere")
    with pytest.raises(InputError, match="no data set 'kornlu'; there are korsts, kornli, klue-sts, klue-nli"):
        get_dataset("kornlu")


def test_the_catalog_is_sound():
    files = [file for dataset in list_datasets() for file in dataset.files]
    assert len({file.path for file in files}) == len({file.sha256 for file in files}) == len(files) == 11
    for file in files:
        assert len(file.sha256) == 64
        assert int(file.sha256, 16) >= 0
        revision = file.url.split("/")[5]
        assert len(revision) == 40  # a commit, not a branch that moves
        assert int(revision, 16) >= 0
        assert file.url.endswith(file.path)
    rows = {d.name: {s: sum(f.rows for f in fs) for s, fs in d.splits.items()} for d in list_datasets()}
    assert rows["korsts"] == {"train": 5749, "dev": 1500, "test": 1379}
    assert rows["kornli"] == {"train": 942854, "dev": 2490, "test": 5010}


def test_check_folder_tells_own_copies_and_bad_rows(kornlu):
    path = kornlu / "KorSTS/sts-dev.tsv"
    path.write_text(path.read_text(encoding="utf-8") + "m\tf\t2012\t2\t9\t가\t나\n", encoding="utf-8")
    checks = {check.path: check for check in check_folder(kornlu)}
    assert len(checks) == 7
    assert {check.checksum for check in checks.values()} == {"other"}
    assert [name for name, check in checks.items() if not check.ok] == [str(path)]
    assert checks[str(path)].report.reasons() == {"score 9 is outside 0 to 5": 1}


def test_check_folder_without_data(tmp_path):
    with pytest.raises(InputError, match="no file of a known data set"):
        check_folder(tmp_path)


def test_triplets_in_both_directions():
    rows = [
        NliRow("남자가 달린다", "사람이 움직인다", "entailment"),
        NliRow("남자가 달린다", "남자가 잔다", "contradiction"),
        NliRow("남자가 달린다", "날씨가 좋다", "neutral"),
    ]
    # Only one sentence has both kinds of partner; it gives itself and its mirror.
    assert nli_triplets(rows, seed=1) == (
        Triplet("남자가 달린다", "사람이 움직인다", "남자가 잔다"),
        Triplet("사람이 움직인다", "남자가 달린다", "남자가 잔다"),
    )
    # Read backwards, the hypothesis has partners of its own.
    rows.append(NliRow("사람이 쉰다", "사람이 움직인다", "contradiction"))
    anchors = [triplet.anchor for triplet in nli_triplets(rows, seed=1)]
    assert anchors == ["남자가 달린다", "사람이 움직인다", "사람이 움직인다", "남자가 달린다"]


def test_triplets_follow_their_definition():
    labels = ("entailment", "neutral", "contradiction")
    rows = [NliRow(f"문장 {i % 13}", f"문장 {(i * 7) % 17}", labels[i % 3]) for i in range(120)]
    partners = {label: {} for label in labels}
    for row in rows:
        partners[row.label].setdefault(row.premise, set()).add(row.hypothesis)
        partners[row.label].setdefault(row.hypothesis, set()).add(row.premise)
    triplets = nli_triplets(rows, seed=3)
    eligible = partners["entailment"].keys() & partners["contradiction"].keys()
    assert len(triplets) == 2 * len(eligible)
    for forward, mirror in zip(triplets[::2], triplets[1::2], strict=True):
        centre = forward.anchor
        assert mirror.positive == centre
        assert forward.positive in partners["entailment"][centre]
        assert mirror.anchor in partners["entailment"][centre]
        assert {forward.negative, mirror.negative} <= partners["contradiction"][centre]
    assert nli_triplets(rows, seed=3) == triplets
    assert nli_triplets(rows, seed=4) != triplets


def test_triplets_do_not_hang_on_the_hash_seed():
    code = (
        "from ko_sentence_transformers.data import NliRow, nli_triplets\n"
        "rows = [NliRow('전제', f'가설 {i}', ('entailment', 'contradiction')[i % 2]) for i in range(40)]\n"
        "print(nli_triplets(rows, seed=7))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(printed) == 1


def test_one_class_missing():
    with pytest.raises(InputError, match="entailment 2, neutral 0, contradiction 0"):
        nli_triplets([NliRow("가", "나", "entailment"), NliRow("다", "라", "entailment")], seed=1)


def test_overlap_without_case_spaces_and_punctuation():
    train = [Pair("오늘 날씨가 좋다.", "Seoul 여행"), Pair("다른 문장", "또 다른 문장"), Pair("?!", "…")]
    test = [Pair("오늘날씨가, 좋다!", "ＳＥＯＵＬ여행"), Pair("...", "!!")]
    overlap = find_overlap(train, test)
    assert (overlap.rows, overlap.whole_rows, overlap.sentences) == ((0,), (0,), 2)
    assert overlap.examples == ("오늘 날씨가 좋다.", "Seoul 여행")
    assert overlap_key("A b-C_다") == "abc다"


def test_overlap_of_one_sentence_is_not_the_whole_row(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text("sentence1\tsentence2\tscore\n가나\t다라\t1\n마바\t사아\t2\n", encoding="utf-8")
    train = korsts(path)
    test = [ScoredPair("다라.", "차카", 1.0)]
    overlap = find_overlap(train, test)
    assert (overlap.rows, overlap.whole_rows) == ((0,), ())
    assert without_overlap(train, test) == (train[1],)


@pytest.mark.shared
def test_real_files(shared):
    data = shared / "data"
    assert [len(korsts(data / "eval", split)) for split in ("dev", "test")] == [1500, 1379]
    assert len(klue_sts(data / "eval", "dev")) == 519
    assert [len(kornli(data / "eval", split)) for split in ("dev", "test")] == [2490, 5010]
    train = korsts(data / "train", "train")
    held_out = [*korsts(data / "eval", "dev"), *korsts(data / "eval", "test")]
    assert len(train) == 5742
    assert len(find_overlap(train, held_out).rows) == 501
    assert not find_overlap(train, held_out).whole_rows
