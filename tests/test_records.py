"""Readers: every format, and a clear line for every way a file can be wrong."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from ko_sentence_transformers.errors import InputError, RecordError
from ko_sentence_transformers.records import Record, read_records

ROWS = [{"id": "가", "text": "첫 문장", "year": 2024}, {"id": "나", "text": '둘째 "문장', "year": 2025}]


def read(path: Path | str, **options: str) -> list[Record]:
    return list(read_records(path, **options))


def test_every_format_gives_the_same_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text('첫 문장\n둘째 "문장\n', encoding="utf-8")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in ROWS))
    (tmp_path / "a.tsv").write_text('id\ttext\tyear\n가\t첫 문장\t2024\n나\t둘째 "문장\t2025\n')
    (tmp_path / "a.csv").write_text('id,text,year\n가,첫 문장,2024\n나,"둘째 ""문장",2025\n')
    for name in ("a.txt", "a.jsonl", "a.tsv", "a.csv"):
        records = read(tmp_path / name)
        assert [r.text for r in records] == ["첫 문장", '둘째 "문장'], name
        assert [r.id for r in records] == (["0", "1"] if name == "a.txt" else ["가", "나"])
    assert read(tmp_path / "a.jsonl")[1].metadata == {"year": 2025}


def test_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert [r.text for r in read(tmp_path / "a.parquet")] == [r["text"] for r in ROWS]
    (tmp_path / "b.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="not a readable parquet file"):
        read(tmp_path / "b.parquet")


def test_folder_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.md").write_text("# 둘")
    (tmp_path / "a.txt").write_text("하나\n줄")
    assert [(r.id, r.text) for r in read(tmp_path)] == [("a.txt", "하나\n줄"), ("b.md", "# 둘")]

    class Stdin:
        buffer = io.BytesIO("한 줄\n".encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert [r.text for r in read("-")] == ["한 줄"]


def test_title_goes_before_the_text() -> None:
    assert Record("1", "본문", {"title": "제목"}).passage == "제목 본문"
    assert Record("1", "본문", {"title": None}).passage == "본문"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', r"a\.jsonl:2: broken JSON at column"),
        ("a.jsonl", b'["a"]\n', "a list, not a JSON object"),
        ("a.jsonl", b'{"body2": "a"}\n', "no text field; name one with --text-field: body2"),
        ("a.jsonl", b'{"text": null}\n', "field 'text' is null, not a text"),
        ("a.jsonl", b'{"text": "a"}\n{"other": "b"}\n', r":2: no field 'text'; the row has other"),
        ("a.tsv", b"id\ttext\n1\n", r":2: 1 columns, the header has 2"),
        ("a.csv", b'id,text\n1,"open\n', "broken CSV"),
        ("a.txt", "좋다\n나쁘다".encode() + b"\xff\xfe\n", r"a\.txt:2: not valid utf-8"),
        ("a.txt", "가나다\n".encode("cp949"), "--input-encoding cp949"),
        ("a.txt", "가나다\n".encode("utf-16"), "--input-encoding utf-16"),
        ("a.txt", bytes(range(256)), "not text"),
        ("a.txt", b"\x1f\x8b\x08junk", "gzip, not text"),
        ("a.xlsx", b"", r"unknown kind of file '\.xlsx'"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-8-sig"])
def test_other_encodings_are_read_when_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_text("첫 문장\n둘째 문장\n", encoding=encoding)
    assert [r.text for r in read(tmp_path / "a.txt", encoding=encoding)] == ["첫 문장", "둘째 문장"]


def test_missing_file_empty_folder_unknown_encoding(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.txt")
    with pytest.raises(InputError, match="holds no"):
        read(tmp_path)
    (tmp_path / "a.txt").write_text("가")
    with pytest.raises(InputError, match="unknown encoding 'klingon'"):
        read(tmp_path / "a.txt", encoding="klingon")
    with pytest.raises(RecordError, match="no field 'x'"):
        (tmp_path / "a.jsonl").write_text('{"text": "가"}\n')
        read(tmp_path / "a.jsonl", text_field="x")


def test_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("가" * 3_500_000 + "\n끝\n", encoding="utf-8")
    assert [len(r.text) for r in read(tmp_path / "a.txt")] == [3_500_000, 1]
