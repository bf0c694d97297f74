"""Downloads against a local server that breaks off, refuses, changes its files and ignores Range."""

import errno
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ko_sentence_transformers.data import catalog
from ko_sentence_transformers.data import download as module
from ko_sentence_transformers.data.catalog import DataFile, Dataset
from ko_sentence_transformers.data.checks import check_folder
from ko_sentence_transformers.data.download import ATTEMPTS, download, read_manifest
from ko_sentence_transformers.errors import DownloadError, InputError, OutputError

HEADER = "sentence1\tsentence2\tscore\n"
CONTENT = (HEADER + "".join(f"문장 {i}\t다른 문장 {i}\t{i % 6}\n" for i in range(20000))).encode()


class Server(ThreadingHTTPServer):
    """Serves ``content``; sends at most ``cut`` bytes of an answer where that is set."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cut, self.ranges, self.failures, self.log = CONTENT, None, True, [], []

    def url(self):
        return f"http://127.0.0.1:{self.server_port}/KorSTS/sts-test.tsv"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.log.append(asked)
        if self.server.failures:
            self.send_error(self.server.failures.pop(0))
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        total = len(self.server.content)
        if start >= total:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - start))
        self.end_headers()
        end = total if self.server.cut is None else min(total, start + self.server.cut)
        self.wfile.write(self.server.content[start:end])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


DIGEST = hashlib.sha256(CONTENT).hexdigest()


def dataset(server, sha256=DIGEST):
    file = DataFile("KorSTS/sts-test.tsv", server.url(), 20000, len(CONTENT), sha256)
    return Dataset("korsts", "sts", "a test", "CC BY-SA 4.0", "http://127.0.0.1", {"test": (file,)})


def test_a_download_that_breaks_off_goes_on_where_it_stopped(server, tmp_path):
    server.cut = len(CONTENT) // 3
    arrived = []
    (fetched,) = download(dataset(server), tmp_path, progress=arrived.append, pause=0)
    assert (tmp_path / "KorSTS/sts-test.tsv").read_bytes() == CONTENT
    assert server.log == [None, *(f"bytes={n * server.cut}-" for n in range(1, len(server.log)))]
    assert len(server.log) == 4
    assert sum(arrived) == len(CONTENT)  # nothing came twice
    assert fetched.status == "downloaded"
    entry = read_manifest(tmp_path)["KorSTS/sts-test.tsv"]
    assert entry["sha256"] == DIGEST
    assert entry["url"] == server.url()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "manifest.json",
        "sts-test.tsv",
    ]


def test_a_later_run_goes_on_with_what_an_earlier_one_left(server, tmp_path):
    server.cut = 1000
    server.failures = []
    part = tmp_path / "KorSTS/sts-test.tsv.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:5000])
    server.cut = None
    download(dataset(server), tmp_path, pause=0)
    assert server.log == ["bytes=5000-"]
    assert (tmp_path / "KorSTS/sts-test.tsv").read_bytes() == CONTENT


def test_a_server_that_stays_broken_is_given_up_and_the_part_is_kept(server, tmp_path):
    server.cut = 0
    (tmp_path / "KorSTS").mkdir()
    (tmp_path / "KorSTS/sts-test.tsv.part").write_bytes(CONTENT[:5000])
    with pytest.raises(DownloadError, match="5000 bytes are kept, run the command again") as caught:
        download(dataset(server), tmp_path, pause=0)
    assert "\n" not in str(caught.value)
    assert len(server.log) == ATTEMPTS
    assert (tmp_path / "KorSTS/sts-test.tsv.part").read_bytes() == CONTENT[:5000]
    assert not (tmp_path / "KorSTS/sts-test.tsv").exists()


def test_server_errors_are_tried_again_and_refusals_are_not(server, tmp_path):
    server.failures = [503, 500]
    download(dataset(server), tmp_path / "a", pause=0)
    assert len(server.log) == 3
    server.log.clear()
    server.failures = [404]
    with pytest.raises(DownloadError, match="the server answers 404"):
        download(dataset(server), tmp_path / "b", pause=0)
    assert len(server.log) == 1


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.ranges = False
    (tmp_path / "KorSTS").mkdir()
    (tmp_path / "KorSTS/sts-test.tsv.part").write_bytes(b"something else")
    download(dataset(server), tmp_path, pause=0)
    assert (tmp_path / "KorSTS/sts-test.tsv").read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [0, 7])
def test_a_part_that_is_complete_or_too_long(server, tmp_path, extra):
    (tmp_path / "KorSTS").mkdir()
    (tmp_path / "KorSTS/sts-test.tsv.part").write_bytes(CONTENT + b"x" * extra)
    download(dataset(server), tmp_path, pause=0)
    assert (tmp_path / "KorSTS/sts-test.tsv").read_bytes() == CONTENT


def test_a_wrong_checksum_keeps_nothing(server, tmp_path):
    server.content = CONTENT.replace(b"1", b"2")
    with pytest.raises(DownloadError, match=r"SHA-256 .* expected .* not the pinned file"):
        download(dataset(server), tmp_path, pause=0)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_is_there_is_checked_not_fetched(server, tmp_path):
    download(dataset(server), tmp_path, pause=0)
    server.log.clear()
    assert download(dataset(server), tmp_path, pause=0)[0].status == "present"
    assert server.log == []
    path = tmp_path / "KorSTS/sts-test.tsv"
    path.write_bytes(b"mine")
    with pytest.raises(DownloadError, match="move the file away"):
        download(dataset(server), tmp_path, pause=0)
    assert path.read_bytes() == b"mine"


def test_without_a_published_checksum_the_first_one_counts(server, tmp_path):
    download(dataset(server, sha256=None), tmp_path, pause=0)
    path = tmp_path / "KorSTS/sts-test.tsv"
    assert download(dataset(server, sha256=None), tmp_path, pause=0)[0].status == "present"
    path.unlink()
    server.content = CONTENT + b"more"
    with pytest.raises(DownloadError, match="expected"):
        download(dataset(server, sha256=None), tmp_path, pause=0)


def test_check_folder_knows_what_was_downloaded(server, tmp_path, monkeypatch):
    pinned = dataset(server)
    monkeypatch.setattr(catalog, "DATASETS", (pinned,))
    download(pinned, tmp_path, pause=0)
    (check,) = check_folder(tmp_path)
    assert (check.checksum, check.ok, check.report.kept) == ("published", True, 20000)
    path = tmp_path / "KorSTS/sts-test.tsv"
    path.write_bytes(CONTENT[: CONTENT.rindex(b"\n", 0, 1000) + 1])
    (check,) = check_folder(tmp_path)
    assert (check.checksum, check.ok) == ("changed", False)
    path.unlink()
    (check,) = check_folder(tmp_path)
    assert (check.checksum, check.ok, check.report) == ("missing", False, None)
    json.dumps(check.as_dict())


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"manifest\.json is damaged"):
        read_manifest(tmp_path)


def test_no_server_at_all(tmp_path):
    file = DataFile("a.tsv", "http://127.0.0.1:9/a.tsv", 1, 1, None)
    nothing = Dataset("nothing", "sts", "", "", "", {"test": (file,)})
    with pytest.raises(DownloadError, match="0 bytes are kept"):
        download(nothing, tmp_path, pause=0)


def test_a_full_disk_is_not_taken_for_a_broken_connection(server, tmp_path, monkeypatch):
    class Full(module.FileIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "FileIO", Full)
    with pytest.raises(OutputError, match="No space left on device"):
        download(dataset(server), tmp_path, pause=0)
    assert len(server.log) == 1
