"""A program for test_index_faults: kill writers of an index at random moments, check the index after each.

Run as ``python index_crash.py FOLDER ROUNDS``. Each round forks a writer that notes every intention and every
acknowledged commit in a log before and after it happens, kills it with SIGKILL, and compares the index with
the log: an acknowledged change must be there, one in flight may be there or not, anything else may not.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np

from ko_sentence_transformers.index import SearchIndex, ann, writing
from ko_sentence_transformers.records import Record

DIM = 16
# Small enough that every part is at work: several commits a call, a vector file that is extended and rebuilt.
writing.BATCH = 8
ann.EXACT_NUMBERS = 60 * DIM
ann._BLOCK = 16


def text_of(name: str, version: int) -> str:
    return f"문서 {name} 의 {version} 번째 판"


def vector_of(text: str) -> np.ndarray:
    vector = np.random.default_rng(zlib.crc32(text.encode())).standard_normal(DIM).astype(np.float32)
    return vector / np.linalg.norm(vector)


def work(folder: Path, log: Path, state: dict[str, int], seed: int) -> None:
    """Change the index until killed."""
    rng = random.Random(seed)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    def note(kind: str, items: dict[str, int | None]) -> None:
        os.write(out, (json.dumps([kind, items]) + "\n").encode())

    index = SearchIndex.open(folder)
    for turn in range(10_000):
        kind = rng.choices(["add", "update", "delete", "compact"], [5, 3, 2, 1])[0]
        known = sorted(state)
        if kind == "add":
            items = {f"{seed}-{turn}-{i}": 0 for i in range(20)}
        elif kind == "compact" or len(known) < 30:
            note("try", {})
            index.compact()
            continue
        else:
            items = {name: state[name] + 1 for name in rng.sample(known, 12)}
        if kind == "delete":
            note("try", dict.fromkeys(items))
            index.delete(items)
            note("done", dict.fromkeys(items))
            for name in items:
                del state[name]
            continue
        note("try", items)
        texts = [text_of(name, version) for name, version in items.items()]
        records = [Record(name, text) for name, text in zip(items, texts, strict=True)]
        ordered = list(items.items())

        def acknowledged(changes: writing.Changes, ordered=ordered) -> None:
            note("done", dict(ordered[: changes.added + changes.updated]))

        vectors = np.stack([vector_of(text) for text in texts])
        (index.add if kind == "add" else index.update)(records, embeddings=vectors, progress=acknowledged)
        state.update(items)


def replay(log: Path, state: dict[str, int | None]) -> dict[str, set[int | None]]:
    """Return which versions of each id may be in the index (``None``: not there)."""
    possible: dict[str, set[int | None]] = {name: {version} for name, version in state.items()}
    for line in log.read_text().splitlines() if log.exists() else []:
        kind, items = json.loads(line)
        for name, version in items.items():
            if kind == "done":
                possible[name] = {version}
            else:
                possible.setdefault(name, {None}).add(version)
    return possible


def check(folder: Path, possible: dict[str, set[int | None]]) -> dict[str, int]:
    """Open the index as any reader would, compare every row, and return what is there."""
    with closing(SearchIndex.open(folder)) as index:
        run = index._store.connection.execute
        assert run("PRAGMA integrity_check").fetchone() == ("ok",)
        run("INSERT INTO words(words) VALUES ('integrity-check')")
        stored = dict(run("SELECT id, text FROM document").fetchall())
        found: dict[str, int] = {}
        for name, versions in possible.items():
            texts = {text_of(name, v): v for v in versions if v is not None}
            assert stored.get(name) in texts or (None in versions and name not in stored), (name, versions)
            if name in stored:
                found[name] = texts[stored[name]]
        assert set(stored) == set(found)
        info = index.info()
        assert info.search == ("approximate" if info.rows >= 200 else info.search)
        assert info.chunks == info.rows == len(found) == index._store.meta("chunks")
        assert run("SELECT count(*) FROM words").fetchone()[0] == len(found)
        assert run("SELECT count(*) FROM field").fetchone()[0] == 0
        for name in random.Random(len(found)).sample(sorted(found), min(5, len(found))):
            text = text_of(name, found[name])
            for mode in ("dense", "hybrid"):
                best = index.search(text, 1, mode=mode, embedding=vector_of(text))[0]
                assert best.id == name and best.text == text, (best, name)
    return found


def main(folder: Path, rounds: int) -> None:
    rng = random.Random(11)
    SearchIndex.create(folder, dim=DIM, analyser="ngram").close()
    state: dict[str, int] = {}
    log = folder.with_suffix(".log")
    killed_in: dict[str, int] = {}
    for number in range(rounds):
        log.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            try:
                work(folder, log, dict(state), number)
            finally:
                os._exit(1)
        # A writer needs a moment to open the index and begin.
        deadline = time.monotonic() + 10
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.25))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the writer ended by itself"
        lines = log.read_text().splitlines()
        last = json.loads(lines[-1])[0] if lines else "nothing"
        killed_in[last] = killed_in.get(last, 0) + 1
        state = check(folder, replay(log, state))
    print(json.dumps({"rounds": rounds, "rows": len(state), "killed_after": killed_in}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
