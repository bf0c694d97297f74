"""Words and filters by the ways taken among many rows, against SQLite's own ranking and exact search."""

from __future__ import annotations

import numpy as np
import pytest

from ko_sentence_transformers import Record, SearchIndex
from ko_sentence_transformers.index import ann, searching, vectors
from ko_sentence_transformers.index.bm25 import Lexicon, _varints

ROWS, DIM = 3000, 16


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((30, DIM))
    found = centres[rng.integers(0, 30, ROWS)] + 0.6 * rng.standard_normal((ROWS, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, matrix):
    pytest.importorskip("faiss")
    rng = np.random.default_rng(1)
    lexicon = [chr(0xAC00 + 28 * n) + chr(0xAC00 + 56 * n) for n in range(150)]

    def text() -> str:
        words = [lexicon[w] for w in np.minimum(rng.zipf(1.4, rng.integers(1, 60)) - 1, 149)]
        return " ".join(words) if rng.random() > 0.02 else " ".join(words * 40)  # some have hundreds of terms

    records = [Record(str(n), text(), {"group": n % 100, "half": n % 2, "last": n >= ROWS - 30}) for n in range(ROWS)]
    path = tmp_path_factory.mktemp("scale") / "index"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ann, "EXACT_NUMBERS", 1000)
        with SearchIndex.create(path, dim=DIM, analyser="ngram") as index:
            index.add(records[:2800], embeddings=matrix[:2800])
            index.add(records[2800:], embeddings=matrix[2800:])
            index.delete([str(n) for n in range(50, 60)])
    return path


@pytest.fixture
def index(folder):
    with SearchIndex.open(folder) as opened:
        yield opened


def test_scores_are_those_of_sqlite(index):
    connection = index._store.connection
    lexicon = Lexicon()
    lexicon.refresh(1, 1)
    terms = [row[0] for row in connection.execute("SELECT term FROM word_rows ORDER BY doc DESC LIMIT 60")]
    for first in range(0, 57, 4):
        some = terms[first : first + 4]
        match = " OR ".join(f'"{term}"' for term in some)
        sql = "SELECT rowid, -rank FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT 200"
        expected = connection.execute(sql, (match,)).fetchall()
        found = lexicon.search(connection, some, limit=200)
        assert np.allclose(found.scores, [row[1] for row in expected], rtol=1e-4)
        assert len(set(found.ids.tolist()) & {row[0] for row in expected}) >= len(expected) - 2  # ties at the edge
        among = np.array(sorted(row[0] for row in expected[::3]))
        assert set(lexicon.search(connection, some, limit=200, among=among).ids.tolist()) == set(among.tolist())


def test_what_was_committed_since_is_taken_up(tmp_path):
    with SearchIndex.create(tmp_path / "index", dim=2, analyser="ngram") as index:
        one = np.array([[1, 0]], np.float32)
        for number, text in enumerate(["사과 배", "사과 감", "귤"]):
            index.add([Record(str(number), text)], embeddings=one)
            found = index.search("사과", mode="lexical", embedding=one[0])
            assert {hit.id for hit in found} == {str(n) for n in range(min(number + 1, 2))}
        index.delete(["0"])
        assert [hit.id for hit in index.search("사과", mode="lexical")] == ["1"]
        index.update([Record("1", "포도")], embeddings=one)
        assert index.search("사과", mode="lexical") == []
        assert [hit.id for hit in index.search("포도", mode="lexical")] == ["1"]


def test_coverage_is_a_share(index):
    connection, lexicon = index._store.connection, Lexicon()
    lexicon.refresh(1, 1)
    terms = [row[0] for row in connection.execute("SELECT term FROM word_rows ORDER BY doc LIMIT 3")]
    whole = lexicon.coverage(connection, terms[:1])
    assert 0 < whole < 1
    assert lexicon.coverage(connection, [*terms[:1], "없는말"]) < whole
    assert lexicon.coverage(connection, ["없는말"]) == 0 == lexicon.coverage(connection, [])


def test_variable_length_integers():
    values = [0, 1, 127, 128, 300, 16_383, 16_384, 2_000_000]

    def varint(value: int) -> bytes:
        parts = [value & 0x7F]
        while value := value >> 7:
            parts.append(value & 0x7F | 0x80)
        return bytes(reversed(parts))

    assert _varints(b"".join(map(varint, values))).tolist() == values
    assert len(_varints(b"")) == 0


def exact(matrix: np.ndarray, query: np.ndarray, passing: np.ndarray) -> list[str]:
    rows = np.flatnonzero(passing & ~np.isin(np.arange(ROWS), np.arange(50, 60)))
    return [str(row) for row in rows[np.argsort(-(matrix[rows] @ query), kind="stable")][:10]]


@pytest.mark.parametrize(
    ("where", "passing"),
    [
        ("group = 7", np.arange(ROWS) % 100 == 7),
        ("group < 30", np.arange(ROWS) % 100 < 30),
        ("half = 1", np.arange(ROWS) % 2 == 1),
        ("last = true", np.arange(ROWS) >= ROWS - 30),
    ],
)
@pytest.mark.parametrize("selected", [20_000, 1])
def test_filters_give_k_hits_however_many_pass(index, matrix, monkeypatch, where, passing, selected):
    """Among the rows that pass, or candidates tested one by one and then deeper, as among very many rows."""
    monkeypatch.setattr(searching, "SELECTED", selected)
    monkeypatch.setattr(searching, "_DEEP", 200)
    monkeypatch.setattr(vectors, "_GIVEN", 50)
    assert not index._vectors.exact
    index.tune(recall=1.0)
    found = 0
    for row in range(0, 400, 20):
        hits = index.search("없는말", 10, mode="dense", embedding=matrix[row], where=where)
        assert len(hits) == 10
        found += len({hit.id for hit in hits} & set(exact(matrix, matrix[row], passing)))
        assert len(index.search("가나", 10, embedding=matrix[row], where=where)) == 10
    assert found >= 195


def test_a_filter_is_looked_up_once_until_something_changes(index, matrix, monkeypatch):
    from ko_sentence_transformers.index import selection

    calls = []
    real = selection._select
    monkeypatch.setattr(selection, "_select", lambda *arguments: calls.append(1) or real(*arguments))
    for _ in range(3):
        index.search("가", 5, mode="dense", embedding=matrix[0], where="group = 3")
    assert len(calls) == 1
    index._store.set_meta(generation=index._store.meta("generation") + 1)
    index.search("가", 5, mode="dense", embedding=matrix[0], where="group = 3")
    assert len(calls) == 2
