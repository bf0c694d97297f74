"""What goes wrong with files: kills, full disks, damage, two writers, readers, folders without permission."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from fake_encoder import FakeEncoder
from ko_sentence_transformers import _files
from ko_sentence_transformers.errors import IndexFolderError, InputError, KoSTError, OutputError
from ko_sentence_transformers.index import SearchIndex, ann, database, exists
from ko_sentence_transformers.records import Record

SOURCE = str(Path(_files.__file__).parents[1])


def records(start: int, stop: int) -> list[Record]:
    return [Record(str(i), f"문서 {i} 의 내용", {"number": i}) for i in range(start, stop)]


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "index"
    with SearchIndex.create(folder, encoder=FakeEncoder(), analyser="ngram") as index:
        index.add(records(0, 50))
    return folder


def python(program: str, *arguments: str, **options: object) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([SOURCE, str(Path(__file__).parent)]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True, **options)  # type: ignore[call-overload]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fifty_kills_lose_nothing_that_was_acknowledged(tmp_path):
    pytest.importorskip("faiss")
    program = (Path(__file__).parent / "index_crash.py").read_text()
    child = python(program, str(tmp_path / "index"), "50")
    out, errors = child.communicate(timeout=250)
    assert child.returncode == 0, errors[-2000:]
    report = json.loads(out)
    assert report["rounds"] == 50 and report["rows"] > 100


def test_a_killed_build_goes_on(tmp_path, monkeypatch):
    folder, encoder = tmp_path / "index", FakeEncoder()

    def cut_off():
        yield from records(0, 2000)
        raise KeyboardInterrupt

    with SearchIndex.create(folder, encoder=encoder, analyser="ngram") as index:
        with pytest.raises(KeyboardInterrupt):
            index.build(cut_off())
        assert not index.complete and len(index) == 1024
    before = encoder.embedded
    with SearchIndex.open(folder, encoder=encoder) as index:
        changes = index.build(records(0, 2000))
        assert (changes.added, changes.unchanged) == (976, 1024)
        assert encoder.embedded == before + 976 + 1  # and the text that ties the index to its model
        assert index.complete and len(index) == 2000


def test_a_creation_that_was_cut_off_is_no_index(tmp_path):
    folder = tmp_path / "index"
    folder.mkdir()
    sqlite3.connect(folder / database.FILE).close()
    assert not exists(folder)
    with SearchIndex.create(folder, encoder=FakeEncoder(), analyser="ngram") as index:
        index.add(records(0, 3))
    with SearchIndex.open(folder, encoder=FakeEncoder()) as index:
        assert len(index) == 3


def test_repeated_ids_are_named(folder):
    with SearchIndex.open(folder, encoder=FakeEncoder()) as index:
        for change in (index.add, index.update):
            with pytest.raises(InputError, match="'77' occurs twice"):
                change([Record("77", "하나"), Record("78", "둘"), Record("77", "하나")])
        assert len(index) == 50


@pytest.mark.parametrize("chunk", [False, True])
def test_a_text_of_a_megabyte(tmp_path, chunk):
    text = "보증금은 계약이 끝나면 돌려주어야 한다. " * 45_000 + "마지막에 고양이가 온다."
    with SearchIndex.create(tmp_path / "index", encoder=FakeEncoder(8), chunk=chunk, analyser="ngram") as index:
        index.add([Record("큰 글", text), Record("작은 글", "강아지")])
        hit = index.search("고양이가", 1)[0]
        assert hit.id == "큰 글" and "**고양이가**" in hit.marked
        assert len(index.search("강아지", 2)) == 2


@pytest.mark.parametrize("text", ["\ud800", "가\udcff"])
def test_half_characters_are_refused(folder, text):
    with SearchIndex.open(folder, encoder=FakeEncoder()) as index:
        for record in (Record("a", text), Record(text, "가"), Record("a", "가", {"note": text})):
            with pytest.raises(InputError):
                index.add([record])
        assert len(index) == 50


def test_odd_texts_and_ids(folder):
    odd = [
        Record("", "빈 이름"),
        Record("a'b\"; --", "따옴표"),
        Record("빈", ""),
        Record("영", "가\x00나"),
        Record("😀", "이모지 😀"),
    ]
    with SearchIndex.open(folder, encoder=FakeEncoder()) as index:
        index.add(odd)
        assert len(index) == 55
        assert {hit.id for hit in index.search("이모지 따옴표 이름", 3)} == {"", "a'b\"; --", "😀"}
        assert index.delete(record.id for record in odd) == 5


def test_two_writers_take_turns(folder):
    program = (
        "import sys; from fake_encoder import FakeEncoder\n"
        "from ko_sentence_transformers.index import SearchIndex, writing\n"
        "from ko_sentence_transformers.records import Record\n"
        "writing.BATCH = 20\n"
        "with SearchIndex.open(sys.argv[1], encoder=FakeEncoder()) as index:\n"
        "    print(index.add(Record(f'{sys.argv[2]}-{i}', f'글 {i}') for i in range(300)).added)\n"
    )
    children = [python(program, str(folder), name) for name in ("a", "b")]
    for child in children:
        out, errors = child.communicate(timeout=120)
        assert out.strip() == "300", errors
    with SearchIndex.open(folder) as index:
        assert index.info().rows == 650
        assert len(index.search("글", 700, mode="lexical")) == 600


def test_a_writer_that_waits_too_long_says_so(folder, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with SearchIndex.open(folder, encoder=FakeEncoder()) as one, SearchIndex.open(folder, encoder=FakeEncoder()) as two:
        with one._store.writing(), pytest.raises(OutputError, match="another process"):
            two.add(records(100, 101))
        two.add(records(100, 101))
        assert len(one) == 51


def test_readers_go_on_during_a_write(folder):
    stop = threading.Event()
    problems: list[BaseException] = []
    searches = 0

    def read(index: SearchIndex) -> None:
        nonlocal searches
        try:
            while not stop.is_set():
                hits = index.search("문서 7 의 내용", 5, where="number < 50")
                assert len(hits) == 5
                searches += 1
        except BaseException as error:
            problems.append(error)

    with (
        SearchIndex.open(folder, encoder=FakeEncoder()) as shared,
        SearchIndex.open(folder, encoder=FakeEncoder()) as own,
    ):
        threads = [threading.Thread(target=read, args=(index,)) for index in (shared, shared, own)]
        for thread in threads:
            thread.start()
        for start in range(50, 450, 100):
            shared.add(records(start, start + 100))
            shared.delete([str(start)])
        stop.set()
        for thread in threads:
            thread.join()
        assert not problems and searches > 3
        assert len(shared) == 446


def test_a_full_disk_keeps_what_was_there(folder):
    with SearchIndex.open(folder, encoder=FakeEncoder()) as index:
        pages = index._store.connection.execute("PRAGMA page_count").fetchone()[0]
        index._store.connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(OutputError, match=r"full.*free space"):
            index.add(records(50, 1000))
        assert len(index) == 50
        index._store.connection.execute("PRAGMA max_page_count = 1000000")
        assert index.add(records(50, 100)).added == 50


def test_a_full_disk_at_the_vector_file(tmp_path, monkeypatch):
    faiss = pytest.importorskip("faiss")
    monkeypatch.setattr(ann, "EXACT_NUMBERS", 100 * 8)
    folder = tmp_path / "index"
    vectors = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def full(index: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise RuntimeError("write error in fwrite")

    with SearchIndex.create(folder, dim=8, analyser="ngram") as index:
        with monkeypatch.context() as patch:
            patch.setattr(faiss, "write_index", full)
            with pytest.raises(OutputError, match="disk full"):
                index.add(records(0, 300), embeddings=vectors)
        # The rows are committed; only the file that makes search quicker is missing.
        assert len(index) == 300 and not list(folder.glob("*.faiss*"))
        assert index.search("문서", 1, mode="dense", embedding=vectors[5])[0].id == "5"
        index.compact()
        assert index.info().search == "approximate"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"\x00" * 5000, os.urandom(9000)])
def test_a_file_that_is_no_database(folder, content):
    for path in folder.iterdir():
        path.unlink()
    (folder / database.FILE).write_bytes(content)
    with pytest.raises(IndexFolderError) as error:
        SearchIndex.open(folder)
    assert "\n" not in str(error.value)


def test_damage_in_the_middle_is_one_line_or_no_harm(folder):
    with SearchIndex.open(folder) as index:
        index.compact()
    content = (folder / database.FILE).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        broken = bytearray(content)
        at = int(rng.integers(0, len(content) - 600))
        broken[at : at + 512] = rng.bytes(512)
        (folder / database.FILE).write_bytes(broken)
        try:
            with SearchIndex.open(folder, encoder=FakeEncoder()) as index:
                index.search("문서 3", 3)
                index.info()
        except KoSTError as error:
            assert "\n" not in str(error)


def test_no_index_here(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(IndexFolderError, match="ko-st index build"):
            SearchIndex.open(path)


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users")
def test_a_read_only_folder_can_be_searched_but_not_changed(folder):
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    for parent in list(folder.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    program = (
        "import sys, os\n"
        "from fake_encoder import FakeEncoder\n"
        "from ko_sentence_transformers.errors import OutputError\n"
        "from ko_sentence_transformers.index import SearchIndex\n"
        "from ko_sentence_transformers.records import Record\n"
        "encoder = FakeEncoder()\n"
        "encoder.encode(['가'])\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "with SearchIndex.open(sys.argv[1], encoder=encoder) as index:\n"
        "    print(len(index.search('문서 3 의 내용', 3)), index.info().rows)\n"
        "    for change in (lambda: index.add([Record('x', '가')]), lambda: index.delete(['1']), index.compact):\n"
        "        try: change()\n"
        "        except OutputError as error: print('read-only' in str(error))\n"
    )
    child = python(program, str(folder))
    out, errors = child.communicate(timeout=60)
    folder.chmod(0o755)
    assert out.split() == ["3", "50", "True", "True", "True"], errors
