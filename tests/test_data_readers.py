import csv
import gzip
import json
import subprocess
import sys
import unicodedata

import pytest

from ko_sentence_transformers.data import (
    LabeledText,
    NliRow,
    Pair,
    Rows,
    ScoredPair,
    Triplet,
    detect_kind,
    get_reader,
    parse_columns,
    read_labels,
    read_nli,
    read_pairs,
    read_scored_pairs,
    read_triplets,
)
from ko_sentence_transformers.errors import InputError, MissingExtraError, RecordError

KORSTS = (
    "genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2\n"
    "main-captions\tMSRvid\t2012test\t0001\t5.000\t비행기가 이륙한다.\t비행기가 뜬다.\n"
    'main-news\tMSRpar\t2013\t0002\t2.400\t"그는 좋다고 말했다.\t그녀는 싫다고 했다.\n'
    'main-news\tMSRpar\t2013\t0003\t0.000\t고양이가 잔다.\t"개가 짖는다.\n'
)


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_korsts_columns_and_stray_quotes(tmp_path):
    path = write(tmp_path / "sts-test.tsv", KORSTS)
    rows = read_scored_pairs(path)
    assert [row.score for row in rows] == [5.0, 2.4, 0.0]
    assert rows[1] == ScoredPair('"그는 좋다고 말했다.', "그녀는 싫다고 했다.", 2.4)
    assert rows.lines == (2, 3, 4)
    assert rows.location(2) == f"{path}:4"
    # What csv's default makes of the same file: the two stray quotes join rows.
    with path.open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream, delimiter="\t"))) < len(rows)


def test_every_row_of_a_random_file_is_read(tmp_path):
    """Against a plain split: whatever quotes, commas and apostrophes the cells hold."""
    marks = ('"', '""', "'", ",", '","', "")
    texts = [f"문장 {i} {marks[i % 6]}" + "끝" * (i % 2) for i in range(200)]
    lines = [f"{a}\t{b}\t{i % 6}" for i, (a, b) in enumerate(zip(texts, reversed(texts), strict=True))]
    path = write(tmp_path / "many.tsv", "sentence1\tsentence2\tscore\n" + "\n".join(lines) + "\n")
    rows = read_scored_pairs(path)
    assert [f"{r.sentence1}\t{r.sentence2}\t{r.score:g}" for r in rows] == lines


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("가\t나\t5.5", "score 5.5 is outside 0 to 5"),
        ("가\t나\t-1", "score -1 is outside 0 to 5"),
        ("가\t나\tnan", "score nan is outside 0 to 5"),
        ("가\t나\t좋음", "score '좋음' is not a number"),
        ("가\t\t3", "sentence2 is empty"),
        ("가\t \u200b \t3", "sentence2 is empty"),
        ("가\t나", "2 columns, the header has 3"),
        ("가\t나\t3\t다", "4 columns, the header has 3"),
    ],
)
def test_a_bad_row_is_an_error_or_a_line_of_the_report(tmp_path, cells, reason):
    path = write(tmp_path / "bad.tsv", f"sentence1\tsentence2\tscore\n하나\t둘\t1\n{cells}\n셋\t넷\t2\n")
    with pytest.raises(RecordError, match=r"bad\.tsv:3: ") as caught:
        read_scored_pairs(path)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    rows = read_scored_pairs(path, on_bad_row="drop")
    report = rows.reports[0]
    assert (report.read, report.kept, len(rows)) == (3, 2, 2)
    assert [(row.line, row.reason) for row in report.dropped] == [(3, reason)]
    assert report.reasons() == {reason: 1}
    json.dumps(report.as_dict())


def test_duplicates_are_reported_and_kept(tmp_path):
    path = write(tmp_path / "twice.tsv", "sentence1\tsentence2\tscore\n가\t나\t1\n다\t라\t2\n가\t나\t1\n가\t나\t2\n")
    rows = read_scored_pairs(path)
    assert len(rows) == 4
    assert rows.reports[0].duplicates == ((4, 2),)


@pytest.mark.parametrize("label", ["contradict", "-", "3", ""])
def test_an_unknown_label_is_named(tmp_path, label):
    path = write(tmp_path / "nli.tsv", f"sentence1\tsentence2\tgold_label\n가\t나\t{label}\n")
    with pytest.raises(RecordError, match="unknown label") as caught:
        read_nli(path)
    assert repr(label) in str(caught.value)
    assert "entailment, neutral, contradiction" in str(caught.value)


def test_nli_of_kornli_klue_and_numbers(tmp_path):
    kornli = write(tmp_path / "k.tsv", "sentence1\tsentence2\tgold_label\n가\t나\tentailment\n")
    klue = write(
        tmp_path / "klue-nli-v1.1_dev.json",
        json.dumps(
            [
                {
                    "guid": "x",
                    "premise": "가",
                    "hypothesis": "나",
                    "gold_label": "neutral",
                    "author": "neutral",
                }
            ],
            ensure_ascii=False,
            indent=1,
        ),
    )
    numbers = write(tmp_path / "n.jsonl", '{"premise": "가", "hypothesis": "나", "label": 2}\n')
    rows = Rows.join(read_nli(kornli), read_nli(klue), read_nli(numbers))
    assert [row.label for row in rows] == ["entailment", "neutral", "contradiction"]
    assert rows[0] == NliRow("가", "나", "entailment")
    assert len(rows.reports) == 3
    assert rows.location(2).endswith("n.jsonl:1")


def test_klue_sts_takes_the_exact_mean(tmp_path):
    row = {
        "sentence1": "가",
        "sentence2": "나",
        "labels": {"label": 4.9, "real-label": 4.857, "binary-label": 1},
    }
    path = write(tmp_path / "klue-sts-v1_dev.json", json.dumps([row], ensure_ascii=False))
    assert read_scored_pairs(path)[0].score == 4.857


def test_own_files_in_every_format_give_the_same_rows(tmp_path):
    rows = [
        {"질문": "배송이 늦어요", "답": "택배, 언제 와요?", "점수": 4.5},
        {"질문": "가", "답": "나", "점수": 0.0},
    ]
    columns = parse_columns(["sentence1=질문", "sentence2=답", "score=점수"])
    expected = [ScoredPair(row["질문"], row["답"], row["점수"]) for row in rows]
    lines = ["질문\t답\t점수", *(f"{r['질문']}\t{r['답']}\t{r['점수']}" for r in rows)]
    tsv = write(tmp_path / "own.tsv", "\n".join(lines) + "\n")
    packed = tmp_path / "own.tsv.gz"
    packed.write_bytes(gzip.compress(tsv.read_bytes()))
    jsonl = write(tmp_path / "own.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    table = tmp_path / "own.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["질문", "답", "점수"])
        writer.writeheader()
        writer.writerows(rows)
    files = [tsv, packed, jsonl, table]
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "own.parquet")
    files.append(tmp_path / "own.parquet")
    for path in files:
        assert list(read_scored_pairs(path, columns=columns)) == expected, path


def test_missing_columns_and_wrong_mappings_say_what_is_there(tmp_path):
    path = write(tmp_path / "own.tsv", "질문\t답\n가\t나\n")
    with pytest.raises(InputError, match=r"no column 'anchor' or 'query'.*질문, 답.*--column anchor=NAME"):
        read_pairs(path)
    with pytest.raises(InputError, match="no column '물음' for anchor"):
        read_pairs(path, columns={"anchor": "물음", "positive": "답"})
    with pytest.raises(InputError, match="no field 'left' in pairs rows; they have anchor, positive"):
        read_pairs(path, columns={"left": "질문"})
    with pytest.raises(InputError, match="not FIELD=NAME"):
        parse_columns(["anchor"])
    assert read_pairs(path, columns={"anchor": "질문", "positive": "답"})[0] == Pair("가", "나")


def test_files_that_cannot_be_read(tmp_path):
    cases = {
        "none.tsv": (None, "no such file"),
        "empty.tsv": (b"", "the file is empty"),
        "header.tsv": (b"sentence1\tsentence2\tscore\n", "no usable row"),
        "bad.tsv": (b"sentence1\tsentence2\tscore\na\tb\t9\n", "no usable row; line 2: score 9 is outside"),
        "cp949.tsv": ("sentence1\tsentence2\tscore\n가나다\t라마\t1\n".encode("cp949"), "CP949"),
        "broken.json": (b'[{"sentence1": ', "broken JSON.*cut off"),
        "object.json": (b'{"a": 1}', "not a list"),
        "text.docx": (b"x", "unknown kind of file"),
        "cut.tsv.gz": (gzip.compress(b"sentence1\tsentence2\tscore\n" * 99)[:30], "damaged or cut off"),
        "twice.tsv": (b"text\ttext\na\tb\n", "two columns have one name"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            read_scored_pairs(path, on_bad_row="drop")
        assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="a folder, not a file"):
        read_scored_pairs(tmp_path)


def test_cp949_is_read_when_asked_for(tmp_path):
    path = write(tmp_path / "old.tsv", "text\tlabel\n똠방각하\t문화\n", "cp949")
    assert read_labels(path, encoding="cp949")[0] == LabeledText("똠방각하", "문화")


def test_texts_come_out_normalized(tmp_path):
    decomposed = unicodedata.normalize("NFD", "한국어 문장")
    path = write(tmp_path / "mac.tsv", f"\ufefftext\tlabel\r\n{decomposed}  \u200b입니다\t일반\r\n\r\n")
    assert read_labels(path)[0] == LabeledText("한국어 문장 입니다", "일반")


def test_json_types_are_checked(tmp_path):
    lines = ['{"text": null, "label": "a"}', '{"text": 3, "label": "a"}', '{"label": "a"}', "[1]", "{", ""]
    path = write(tmp_path / "t.jsonl", '{"text": "가", "label": 1}\n' + "\n".join(lines) + "\n")
    rows = read_labels(path, on_bad_row="drop")
    assert rows[0] == LabeledText("가", "1")
    reasons = [row.reason for row in rows.reports[0].dropped]
    assert reasons[:4] == [
        "text is null, not a text",
        "text is int, not a text",
        "no field 'text'",
        "not a JSON object",
    ]
    assert reasons[4].startswith("broken JSON")
    assert [row.line for row in rows.reports[0].dropped] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("sentence1\tsentence2\tscore", "sts"),
        ("sentence1\tsentence2\tgold_label", "nli"),
        ("anchor\tpositive\tnegative", "triplets"),
        ("query\tdoc", "pairs"),
        ("ko\ten", "pairs"),
        ("text\tlabel", "labels"),
        ("group\tsentence", "labels"),
    ],
)
def test_the_kind_is_told_from_the_columns(tmp_path, header, kind):
    cells = "\t".join("1" for _ in header.split("\t"))
    assert detect_kind(write(tmp_path / "x.tsv", f"{header}\n{cells}\n")) == kind


def test_unknown_kinds(tmp_path):
    with pytest.raises(InputError, match="fit no kind of rows"):
        detect_kind(write(tmp_path / "x.tsv", "a\tb\n1\t2\n"))
    with pytest.raises(InputError, match="no kind of rows 'stss'; there are sts"):
        get_reader("stss")


def test_csv_keeps_quoted_cells_and_reports_bad_rows(tmp_path):
    content = 'text,label\n"쉼표, 따옴표 ""그리고""\n새 줄",문화\n하나\n둘,과학,더\n끝,경제\n'
    rows = read_labels(write(tmp_path / "t.csv", content), on_bad_row="drop")
    assert list(rows) == [LabeledText('쉼표, 따옴표 "그리고" 새 줄', "문화"), LabeledText("끝", "경제")]
    assert [(row.line, row.reason) for row in rows.reports[0].dropped] == [
        (4, "1 columns, the header has 2"),
        (5, "3 columns, the header has 2"),
    ]
    with pytest.raises(RecordError, match=r"t\.csv:2: broken CSV"):
        read_labels(write(tmp_path / "t.csv", 'text,label\n"가"나,문화\n'))


def test_triplets_are_read(tmp_path):
    path = write(tmp_path / "t.tsv", "anchor\tpositive\tnegative\n가\t나\t다\n")
    assert read_triplets(path)[0] == Triplet("가", "나", "다")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match=r"pip install 'ko-sentence-transformers\[parquet\]'"):
        read_pairs(path)


def test_reading_data_loads_nothing_heavy():
    code = (
        "import sys, ko_sentence_transformers.data; print([m for m in sys.modules if m in "
        + repr(["torch", "pandas", "pyarrow", "datasets", "numpy", "sklearn"])
        + "])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
