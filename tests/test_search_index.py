"""The search index against independent references: numpy for meaning, the BM25 formula for words."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict

import numpy as np
import pytest

from fake_encoder import FakeEncoder
from ko_sentence_transformers.encoding import Encoder
from ko_sentence_transformers.errors import IndexFolderError, InputError, OutputError
from ko_sentence_transformers.index import SearchIndex, ann, chunks, exists, searching
from ko_sentence_transformers.index.hits import mark
from ko_sentence_transformers.morphemes import NgramAnalyser
from ko_sentence_transformers.records import Record

TEXTS = [
    "해고는 적어도 30일 전에 예고하여야 한다.",
    "보증금은 계약이 끝나면 돌려주어야 한다.",
    "강아지는 목줄을 하고 산책하여야 한다.",
    "퇴직금은 퇴직한 날부터 14일 이내에 지급한다.",
    "개인정보는 동의를 받고 수집하여야 한다.",
    "해고의 이유와 시기는 글로 알려야 한다.",
]
RECORDS = [
    Record(f"제{i}조", text, {"number": i, "kind": "짝" if i % 2 == 0 else "홀"}) for i, text in enumerate(TEXTS)
]


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def index(tmp_path, encoder):
    with SearchIndex.create(tmp_path / "index", encoder=encoder, analyser="ngram") as index:
        index.add(RECORDS)
        yield index


def unit(rows: int, dim: int, seed: int = 0) -> np.ndarray:
    """Vectors in groups, as embeddings are."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(4, rows // 50), dim))
    vectors = centres[rng.integers(0, len(centres), rows)] + 0.7 * rng.standard_normal((rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def filled(folder, rows: int, dim: int = 16) -> tuple[SearchIndex, np.ndarray]:
    vectors = unit(rows, dim)
    index = SearchIndex.create(folder, dim=dim, analyser="ngram")
    index.add((Record(str(i), f"문서 {i}", {"number": i}) for i in range(rows)), embeddings=vectors)
    return index, vectors


def ids(hits) -> list[str]:
    return [hit.id for hit in hits]


def test_the_fake_encoder_is_an_encoder(encoder):
    assert isinstance(encoder, Encoder)


def test_dense_order_is_that_of_the_cosines(index, encoder):
    query = "해고 예고는 언제 하나요"
    scores = encoder.encode(TEXTS) @ encoder.encode([query])[0]
    hits = index.search(query, 6, mode="dense")
    assert ids(hits) == [f"제{i}조" for i in np.argsort(-scores)]
    np.testing.assert_allclose([hit.score for hit in hits], np.sort(scores)[::-1], atol=1e-6)


def test_lexical_scores_are_bm25(index):
    analyser = NgramAnalyser()
    query = "해고 예고는 며칠 전에"
    documents = [[t.form for t in terms] for terms in analyser.terms(TEXTS)]
    terms = dict.fromkeys(t.form for t in next(analyser.terms([query])))
    mean = sum(map(len, documents)) / len(documents)

    def bm25(document: list[str]) -> float:
        total = 0.0
        for term in terms:
            n = sum(term in other for other in documents)
            tf = document.count(term)
            idf = max(1e-6, math.log((len(documents) - n + 0.5) / (n + 0.5)))
            total += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(document) / mean))
        return total

    expected = {f"제{i}조": bm25(document) for i, document in enumerate(documents)}
    hits = index.search(query, 6, mode="lexical")
    assert len(hits) == sum(score > 0 for score in expected.values())
    for hit in hits:
        assert hit.score == pytest.approx(expected[hit.id], rel=1e-4)


def test_hybrid_hits_explain_themselves(index):
    hit = index.search("해고 예고", 1)[0]
    assert hit.id == "제0조"
    assert hit.why.cosine_rank is not None and hit.why.bm25_rank == 1 and {"해고", "예고"} <= set(hit.why.words)
    assert hit.marked == "**해고**는 적어도 30일 전에 **예고**하여야 한다."
    assert asdict(hit) == hit.as_dict()


def test_a_rare_exact_word_outweighs_meaning(tmp_path):
    vectors = unit(400, 16)
    with SearchIndex.create(tmp_path / "index", dim=16, analyser="ngram") as index:
        texts = [f"부품 목록 {i}" for i in range(399)] + ["부품 kx4821 입고"]
        index.add((Record(str(i), t) for i, t in enumerate(texts)), embeddings=vectors)
        far = vectors[np.argsort(vectors @ vectors[399])[:1]][0]
        assert "399" in ids(index.search("kx4821", 5, embedding=far))


def test_unchanged_texts_are_not_encoded_again(index, encoder):
    before = encoder.embedded
    assert asdict(index.add(RECORDS)) == {"added": 0, "updated": 0, "unchanged": 6}
    assert encoder.embedded == before
    changed = [RECORDS[0], Record("제1조", "보증금은 바로 돌려준다.", {"number": 1}), Record("새것", "새 조문")]
    with pytest.raises(InputError, match="제1조"):
        index.add(changed)
    assert asdict(index.update(changed)) == {"added": 1, "updated": 1, "unchanged": 1}
    assert encoder.embedded == before + 2
    assert index.search("보증금", 1, mode="lexical")[0].text == "보증금은 바로 돌려준다."
    assert len(index) == 7


def test_metadata_alone_changes_without_encoding(index, encoder):
    before = encoder.embedded
    assert index.update([Record("제2조", TEXTS[2], {"number": 99})]).updated == 1
    assert encoder.embedded == before
    assert ids(index.search("산책", 6, where="number = 99")) == ["제2조"]
    assert ids(index.search("산책", 6, where="number = 2")) == []


def test_titles_are_part_of_what_is_searched(tmp_path, encoder):
    with SearchIndex.create(tmp_path / "index", encoder=encoder, analyser="ngram") as index:
        index.add([Record("a", "그러하다.", {"title": "해고의 예고"}), Record("b", "아니하다.", {"title": "보증금"})])
        assert ids(index.search("해고", 1, mode="lexical")) == ["a"]
        assert index.search("해고의 예고 그러하다.", 1, mode="dense")[0].score == pytest.approx(1, abs=1e-5)


def test_delete(index):
    assert index.delete(["제0조", "없는 것"]) == 1
    for mode in ("dense", "lexical", "hybrid"):
        assert "제0조" not in ids(index.search("해고 예고", 6, mode=mode))
    assert index.delete([]) == 0


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_filters_in_every_mode(index, mode):
    hits = index.search("하여야 한다", 6, mode=mode, where="kind = '짝' and number < 4")
    assert set(ids(hits)) == {"제0조", "제2조"}
    with pytest.raises(InputError, match=r"numbr.*id, kind, number"):
        index.search("한다", where="numbr = 1")


def test_what_cannot_be_asked(index):
    for query, options in [("  ", {}), ("가", {"k": 0}), ("가", {"mode": "both"}), ("가", {"where": "="})]:
        with pytest.raises(InputError):
            index.search(query, **options)
    assert index.search("ㅁㅁㅁ ???", mode="lexical") == []
    assert index.search('"; DROP TABLE words; -- AND OR NOT NEAR( * ^', mode="lexical") == []


def test_an_empty_index(tmp_path, encoder):
    with SearchIndex.create(tmp_path / "index", encoder=encoder, analyser="ngram") as index:
        assert [index.search("무엇", mode=mode) for mode in ("dense", "lexical", "hybrid")] == [[], [], []]
        index.compact()
        assert index.tune().chosen is None


@pytest.mark.parametrize("count", [1, 2, 5])
def test_hybrid_with_few_rows(tmp_path, encoder, count):
    with SearchIndex.create(tmp_path / "index", encoder=encoder, analyser="ngram") as index:
        index.add(RECORDS[:count])
        hits = index.search("해고 예고", 10)
        assert hits[0].id == "제0조" and len(hits) == count
        assert all(math.isfinite(hit.score) for hit in hits)


class TestChunks:
    def test_chunks_cover_every_sentence_and_overlap(self):
        text = " ".join(f"이것은 {i}번째 문장이다." for i in range(100)) + " " + "아주긴낱말" * 100
        spans = list(chunks.split(text, 120))
        assert all(0 < stop - start <= 120 for start, stop in spans)
        covered = {at for start, stop in spans for at in range(start, stop)}
        assert not "".join(text[at] for at in range(len(text)) if at not in covered).strip()
        assert all(b[0] > a[0] and b[1] > a[1] for a, b in itertools.pairwise(spans))
        assert sum(b[0] < a[1] for a, b in itertools.pairwise(spans)) > len(spans) // 2
        assert list(chunks.split("  ", 100)) == [(0, 0)]

    def test_a_hit_is_the_best_chunk_of_its_document(self, tmp_path):
        encoder = FakeEncoder(max_seq_length=40)
        filler = "날씨 이야기는 여기에 적지 않는다. " * 20
        records = [
            Record("긴 글", filler + "보증금은 한 달 안에 돌려준다. " + filler),
            Record("짧은 글", "강아지 산책"),
        ]
        with SearchIndex.create(tmp_path / "index", encoder=encoder, chunk=True, analyser="ngram") as index:
            index.add(records)
            info = index.info()
            assert info.rows == 2 and info.chunks > 10
            for mode in ("dense", "lexical", "hybrid"):
                hits = index.search("보증금은 한 달 안에 돌려준다", 5, mode=mode)
                assert len(ids(hits)) == len(set(ids(hits)))
                assert hits[0].id == "긴 글" and "보증금" in hits[0].text
                assert records[0].text[hits[0].start : hits[0].stop] == hits[0].text
            assert index.delete(["긴 글"]) == 1
            assert index.info().chunks == 1


class TestCells:
    """The approximate index, made to start at a few hundred rows."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        pytest.importorskip("faiss")
        monkeypatch.setattr(ann, "EXACT_NUMBERS", 500 * 16)
        monkeypatch.setattr(ann, "_BLOCK", 64)

    def test_recall_after_adds_and_deletes(self, tmp_path):
        index, vectors = filled(tmp_path / "index", 3000)
        assert index.info().search == "approximate"
        extra = unit(100, 16, seed=1)
        index.add((Record(f"n{i}", "새 문서", {}) for i in range(100)), embeddings=extra)
        index.delete(str(i) for i in range(0, 3000, 3))
        names = [str(i) for i in range(3000)] + [f"n{i}" for i in range(100)]
        everything = np.concatenate([vectors, extra])
        alive = np.array([not (name.isdigit() and int(name) % 3 == 0) for name in names])
        found = 0
        for query in unit(50, 16, seed=2):
            scores = np.where(alive, everything @ query, -9)
            truth = {names[i] for i in np.argsort(-scores)[:10]}
            hits = index.search("문서", 10, mode="dense", embedding=query)
            assert len(hits) == 10
            found += len(truth & set(ids(hits)))
            np.testing.assert_allclose([h.score for h in hits], [scores[names.index(h.id)] for h in hits], atol=1e-5)
        assert found / 500 >= 0.95
        index.compact()
        assert ids(index.search("문서", 3, mode="dense", embedding=extra[0]))[0] == "n0"
        index.close()

    @pytest.mark.parametrize("selected", [10_000, 10])
    @pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
    def test_a_filter_that_keeps_one_percent_gives_k_hits(self, tmp_path, monkeypatch, selected, mode):
        monkeypatch.setattr(searching, "SELECTED", selected)
        index, vectors = filled(tmp_path / "index", 3000)
        hits = index.search("문서", 10, mode=mode, where="number < 30", embedding=vectors[2999])
        assert len(hits) == 10 and all(int(hit.id) < 30 for hit in hits)
        if mode == "dense" and selected > 30:
            assert ids(hits) == [str(i) for i in np.argsort(-(vectors[:30] @ vectors[2999]))[:10]]
        index.close()

    def test_tune_reaches_the_recall_or_looks_everywhere(self, tmp_path):
        index, _vectors = filled(tmp_path / "index", 3000)
        tuning = index.tune(recall=0.99)
        assert tuning.chosen is not None and tuning.chosen.recall >= 0.99
        assert [trial.probes for trial in tuning.trials] == sorted({trial.probes for trial in tuning.trials})
        assert ann.AnnFile(**index._store.meta("ann")).probes == tuning.chosen.probes
        with pytest.raises(InputError):
            index.tune(recall=1.2)
        index.close()

    @pytest.mark.parametrize("damage", ["missing", "cut", "changed"])
    def test_a_damaged_vector_file_is_made_again(self, tmp_path, damage):
        index, vectors = filled(tmp_path / "index", 1000)
        index.close()
        (file,) = (tmp_path / "index").glob("vectors-*.faiss")
        content = bytearray(file.read_bytes())
        if damage == "missing":
            file.unlink()
        elif damage == "cut":
            file.write_bytes(content[:-100])
        else:
            content[len(content) // 2] ^= 0xFF
            file.write_bytes(content)
        with SearchIndex.open(tmp_path / "index") as index:
            assert index.info().search == "approximate"
            assert index.search("문서", 1, mode="dense", embedding=vectors[7])[0].id == "7"
            (new,) = (tmp_path / "index").glob("vectors-*.faiss")
            assert (
                new.name != file.name and ann.check(tmp_path / "index", ann.AnnFile(**index._store.meta("ann"))) is None
            )

    def test_another_reader_follows(self, tmp_path):
        index, _vectors = filled(tmp_path / "index", 400)
        reader = SearchIndex.open(tmp_path / "index")
        assert reader.info().search == "exact"
        extra = unit(600, 16, seed=5)
        index.add((Record(f"n{i}", "새 문서") for i in range(600)), embeddings=extra)
        assert reader.search("문서", 1, mode="dense", embedding=extra[9])[0].id == "n9"
        index.delete(["n9"])
        index.compact()
        assert reader.search("문서", 1, mode="dense", embedding=extra[9])[0].id != "n9"
        assert reader.info().search == "approximate"
        reader.close()
        index.close()


class TestTies:
    """An index opens only with what built it."""

    def test_another_model(self, index, tmp_path):
        folder = tmp_path / "index"
        SearchIndex.open(folder, encoder=FakeEncoder(name="renamed")).close()
        with pytest.raises(IndexFolderError, match=r"built with fake.*--model fake"):
            SearchIndex.open(folder, encoder=FakeEncoder(name="other", salt=1))
        with pytest.raises(IndexFolderError, match=r"64 dimensions.*other has 32"):
            SearchIndex.open(folder, encoder=FakeEncoder(dim=32, name="other"))

    def test_fewer_dimensions(self, tmp_path, encoder):
        with SearchIndex.create(tmp_path / "index", encoder=encoder, dim=24, analyser="ngram") as index:
            index.add(RECORDS)
            assert index.info().dim == 24
            cut = encoder.encode(TEXTS)[:, :24]
            cut /= np.linalg.norm(cut, axis=1, keepdims=True)
            query = encoder.encode(["해고"])[0, :24]
            expected = np.sort(cut @ (query / np.linalg.norm(query)))[::-1]
            np.testing.assert_allclose([h.score for h in index.search("해고", 6, mode="dense")], expected, atol=1e-5)

    def test_another_analyser_version(self, index, tmp_path, monkeypatch):
        monkeypatch.setattr(NgramAnalyser, "version", "ngram rules 2")
        with SearchIndex.open(tmp_path / "index", encoder=FakeEncoder()) as other:
            assert other.search("해고", mode="dense")
            with pytest.raises(IndexFolderError, match=r"ngram rules 1.*ngram rules 2.*ko-st index compact"):
                other.search("해고")
            other.compact()
        with SearchIndex.open(tmp_path / "index") as other:
            assert ids(other.search("해고", mode="lexical"))[0] in ("제0조", "제5조")
            assert other.info().analyser == "ngram rules 2"

    def test_another_format(self, index, tmp_path):
        with index._store.writing():
            index._store.set_meta(format=99)
        with pytest.raises(IndexFolderError, match="format 99"):
            SearchIndex.open(tmp_path / "index")

    def test_embeddings_made_elsewhere(self, tmp_path):
        with SearchIndex.create(tmp_path / "index", dim=4, analyser="ngram") as index:
            for wrong in (np.ones((1, 4)), np.eye(4)[:1, :3], np.full((1, 4), np.nan), np.eye(4)):
                with pytest.raises(InputError):
                    index.add([Record("a", "가")], embeddings=wrong)
            with pytest.raises(InputError, match="encoder"):
                index.add([Record("a", "가")])
            with pytest.raises(InputError, match="encoder"):
                index.search("가")
        with pytest.raises(InputError, match="dim"):
            SearchIndex.create(tmp_path / "other")


def test_rerank_orders_the_hits_again(index):
    hits = index.search("해고", 2, rerank=lambda query, texts: [float("강아지" in text) for text in texts])
    assert hits[0].id == "제2조" and hits[0].score == 1 and len(hits) == 2


def test_create_does_not_touch_other_files(tmp_path, encoder):
    (tmp_path / "mine.txt").write_text("가")
    with pytest.raises(OutputError, match="other files"):
        SearchIndex.create(tmp_path, encoder=encoder)
    with pytest.raises(OutputError, match="is a file"):
        SearchIndex.create(tmp_path / "mine.txt", encoder=encoder)
    assert not exists(tmp_path) and (tmp_path / "mine.txt").read_text() == "가"


def test_nfd_input_is_found_by_nfc_words(tmp_path, encoder):
    import unicodedata

    with SearchIndex.create(tmp_path / "index", encoder=encoder, analyser="ngram") as index:
        index.add([Record("a", unicodedata.normalize("NFD", "보증금을 돌려받다"))])
        hit = index.search("보증금", 1)[0]
        assert hit.text == "보증금을 돌려받다" and hit.marked.startswith("**보증금**")


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("보증금 보증", ["보증"], "**보증**금 **보증**"),
        ("COVID 백신", ["covid"], "**COVID** 백신"),
        ("도와줬다", ["도와주"], "**도와**줬다"),
        ("보증금", ["보증", "증금"], "**보증금**"),
        ("가.+나", [".+"], "가**.+**나"),
        ("없음", [], "없음"),
        ("İstanbul 이스탄불", ["이스탄불"], "İstanbul 이스탄불"),
    ],
)
def test_marks(text, words, expected):
    assert mark(text, words) == expected


def test_morphemes_and_pairs_add_up(tmp_path):
    pytest.importorskip("kiwipiepy")
    with SearchIndex.create(tmp_path / "index", encoder=FakeEncoder()) as index:
        index.add(RECORDS)
        assert index.info().analyser.startswith("kiwi") and index.info().analyser.endswith("pairs")
        hit = index.search("해고를 예고해야 하나요?", 1, mode="lexical")[0]
        assert hit.id == "제0조" and hit.why.words == ("예고", "해고")
        # No morpheme of this query is in the index, but a part of one is.
        assert ids(index.search("목줄끈", 1, mode="lexical")) == ["제2조"]
