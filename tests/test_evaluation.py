import json
import logging
import socket

import numpy as np
import pytest

from character_encoder import CharacterEncoder
from ko_sentence_transformers.encoding import encode
from ko_sentence_transformers.errors import InputError, MissingExtraError, ModelError, NonFiniteError
from ko_sentence_transformers.evaluation import compare, embed_raw, evaluate
from ko_sentence_transformers.tasks import Texts, get_task, list_tasks, read_retrieval

EIGHT = [
    f"{similarity}_{correlation}"
    for similarity in ("cosine", "euclidean", "manhattan", "dot")
    for correlation in ("pearson", "spearman")
]
WORDS = ("바다", "산", "강아지", "고양이", "버스", "기차", "김치", "라면", "학교", "병원", "노래", "그림")


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(header), *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def pairs(n, seed=0):
    """Pairs that share some words; the score is about how many."""
    draw = np.random.default_rng(seed)
    for number in range(n):
        first = draw.choice(WORDS, 5, replace=False)
        shared = int(draw.integers(0, 5))
        # The number keeps two pairs from being equally similar but for rounding.
        second = [*first[:shared], *draw.choice(WORDS, 5 - shared), str(number)]
        yield " ".join(first), " ".join(second), shared + round(float(draw.random()), 2)


@pytest.fixture
def korsts_folder(tmp_path):
    rows = [("m", "f", "2012", i, f"{s:.3f}", a, b) for i, (a, b, s) in enumerate(pairs(120))]
    header = ("genre", "filename", "year", "id", "score", "sentence1", "sentence2")
    write(tmp_path / "KorSTS/sts-test.tsv", header, rows)
    write(tmp_path / "KorSTS/sts-dev.tsv", header, rows[:50])
    return tmp_path


def test_the_eight_correlations_equal_scipy(korsts_folder):
    stats = pytest.importorskip("scipy.stats")
    distance = pytest.importorskip("scipy.spatial.distance")
    model = CharacterEncoder()
    score = evaluate(model, "korsts", korsts_folder)["korsts"]
    data = get_task("korsts").read(korsts_folder, "test")
    gold = [row.score for row in data]
    a = model.embed(model.tokenize([row.sentence1 for row in data]))
    b = model.embed(model.tokenize([row.sentence2 for row in data]))
    similarities = {
        "cosine": [1 - distance.cosine(x, y) for x, y in zip(a, b, strict=True)],
        "euclidean": [-distance.euclidean(x, y) for x, y in zip(a, b, strict=True)],
        "manhattan": [-distance.cityblock(x, y) for x, y in zip(a, b, strict=True)],
        "dot": [float(x @ y) for x, y in zip(a, b, strict=True)],
    }
    for name, values in similarities.items():
        pearson, spearman = stats.pearsonr(values, gold)[0], stats.spearmanr(values, gold)[0]
        assert score.metrics[f"{name}_pearson"] == pytest.approx(100 * pearson, abs=1e-4)
        assert score.metrics[f"{name}_spearman"] == pytest.approx(100 * spearman, abs=1e-4)
    low, high = score.interval
    assert low < score.metrics["cosine_spearman"] < high


def test_the_document_has_the_named_keys(korsts_folder):
    document = evaluate(CharacterEncoder(), ["korsts"], korsts_folder, dims=(16, 8))["korsts"].as_dict()
    assert list(document) == ["n", *EIGHT, "cosine_spearman_interval", "dims"]
    assert document["n"] == 120
    assert list(document["dims"]) == ["16", "8"]
    assert list(document["dims"]["16"]) == EIGHT
    json.dumps(document, allow_nan=False)


def test_a_dimension_is_scored_as_its_own_model(korsts_folder):
    class Cut(CharacterEncoder):
        def embed(self, parts, *, batch_tokens=0):
            return super().embed(parts)[:, :8]

    by_dim = evaluate(CharacterEncoder(), "korsts", korsts_folder, dims=(8, 32))["korsts"]
    cut = Cut()
    cut.dim = 8
    assert by_dim.dims[8] == evaluate(cut, "korsts", korsts_folder)["korsts"].metrics
    assert by_dim.dims[32] == by_dim.metrics


def test_raw_vectors_are_the_encoded_ones_before_unit_length():
    model = CharacterEncoder()
    texts = ("바다와 산", "", "강아지", "긴 " * 80)
    raw = embed_raw(model, Texts(texts))
    unit = encode(model, texts)
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    assert lengths[1] == 0
    assert lengths[0] > 2
    np.testing.assert_allclose(np.divide(raw, lengths, out=np.zeros_like(raw), where=lengths > 0), unit, atol=1e-6)


def test_splits_and_prompts(korsts_folder):
    model = CharacterEncoder(prompts={"query": "질문: ", "document": "문서: "})
    assert evaluate(model, "korsts", korsts_folder, split="dev")["korsts"].n == 50
    assert not any(text.startswith("질문: ") for text in model.seen)
    evaluate(model, "korsts", korsts_folder, split="dev", prompt_name="query")
    assert sum(text.startswith("질문: ") for text in model.seen) == 100
    with pytest.raises(InputError, match="prompt_name 'passage' is unknown; the model has: query, document"):
        evaluate(model, "korsts", korsts_folder, prompt_name="passage")
    with pytest.raises(InputError, match="no korsts train file"):
        evaluate(model, "korsts", korsts_folder, split="train")
    with pytest.raises(InputError, match="has no split 'validation'"):
        evaluate(model, "korsts", korsts_folder, split="validation")


def test_retrieval_uses_the_models_prompts(tmp_path):
    write(tmp_path / "pairs.tsv", ("query", "doc"), [("바다 어디", "바다 여기"), ("산 어디", "산 여기")])
    model = CharacterEncoder(prompts={"query": "질문: ", "document": "문서: "})
    evaluate(model, "retrieval", tmp_path / "pairs.tsv")
    assert model.seen == ["질문: 바다 어디", "질문: 산 어디", "문서: 바다 여기", "문서: 산 여기"]
    model.seen.clear()
    evaluate(model, "retrieval", tmp_path / "pairs.tsv", prompt_name="none")
    assert model.seen == ["바다 어디", "산 어디", "바다 여기", "산 여기"]


def test_bad_data_is_an_error_not_a_smaller_test(korsts_folder):
    path = korsts_folder / "KorSTS/sts-test.tsv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "m\tf\t2012\t999\t7\t가\t나\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"sts-test\.tsv:122: score 7 is outside 0 to 5"):
        evaluate(CharacterEncoder(), "korsts", korsts_folder)


def test_figures_that_cannot_be_had(tmp_path):
    model = CharacterEncoder()
    header = ("sentence1", "sentence2", "score")
    same = write(tmp_path / "same.tsv", header, [("가", "나", 3), ("다", "라", 3)])
    with pytest.raises(InputError, match="every score is 3; a correlation needs different ones"):
        evaluate(model, "korsts", same)
    two = write(tmp_path / "two.tsv", header, [("가", "나", 1), ("다", "라", 3)])
    model._table[:] = 1.0
    with pytest.raises(ModelError, match="embeddings have collapsed"):
        evaluate(model, "korsts", two)
    model._table[:] = np.nan
    with pytest.raises(NonFiniteError, match="NaN"):
        evaluate(model, "korsts", two)
    with pytest.raises(InputError, match="no task 'korsst'; there are korsts, klue-sts"):
        evaluate(model, "korsst", two)
    with pytest.raises(InputError, match="dimension 64 is asked for; characters has 1 to 32"):
        evaluate(model, "korsts", two, dims=(64,))
    with pytest.raises(InputError, match="no data for task bitext; there are data for korsts"):
        evaluate(model, ["bitext"], {"korsts": two})


def test_binary_pairs(tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    rows = [(a, b, int(score >= 3)) for a, b, score in pairs(80)]
    path = write(tmp_path / "pairs.tsv", ("sentence1", "sentence2", "score"), rows)
    model = CharacterEncoder()
    score = evaluate(model, "pairs", tmp_path)["pairs"]
    cosine = (encode(model, [row[0] for row in rows]) * encode(model, [row[1] for row in rows])).sum(axis=1)
    expected = metrics.average_precision_score([row[2] for row in rows], cosine)
    assert score.metrics["average_precision"] == pytest.approx(100 * expected, abs=1e-3)
    assert -1 <= score.metrics["best_f1_threshold"] <= 1
    write(path, ("sentence1", "sentence2", "score"), [("가", "나", 0.5), ("다", "라", 1)])
    with pytest.raises(InputError, match="the scores of pairs are 0 and 1"):
        evaluate(model, "pairs", path)


@pytest.fixture
def retrieval_folder(tmp_path):
    draw = np.random.default_rng(5)
    folder = tmp_path / "retrieval"
    documents = [(f"d{i}", " ".join(draw.choice(WORDS, 6))) for i in range(150)]
    queries = [(f"q{i}", " ".join(draw.choice(documents[i][1].split(), 3))) for i in range(40)]
    qrels = [(f"q{i}", f"d{i}", 2) for i in range(39)]  # the last query has no relevant document
    qrels += [(f"q{i}", f"d{i + 50}", 1) for i in range(0, 39, 3)] + [("q0", "d99", 0)]
    write(folder / "queries.tsv", ("qid", "query"), queries)
    write(folder / "docs.tsv", ("docid", "doc"), documents)
    write(folder / "qrels.tsv", ("qid", "docid", "rel"), qrels)
    return folder


def test_retrieval_equals_a_full_sort(retrieval_folder):
    metrics = pytest.importorskip("sklearn.metrics")
    data = read_retrieval(retrieval_folder)
    assert (len(data), len(data.documents)) == (39, 150)
    assert data.relevant[0] == {0: 2.0, 50: 1.0}
    model = CharacterEncoder()
    score = evaluate(model, "retrieval", retrieval_folder)["retrieval"]
    scores = encode(model, data.queries) @ encode(model, data.documents).T
    gains = np.zeros(scores.shape)
    for row, relevant in enumerate(data.relevant):
        for column, gain in relevant.items():
            gains[row, column] = gain
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(gains > 0, order, axis=1)
    expected = {
        "ndcg_at_10": metrics.ndcg_score(gains, scores, k=10),
        "mrr": np.mean(1 / (hits.argmax(axis=1) + 1)),
        **{f"recall_at_{k}": np.mean(hits[:, :k].sum(axis=1) / hits.sum(axis=1)) for k in (1, 5, 10, 100)},
    }
    assert score.metrics == pytest.approx({name: 100 * value for name, value in expected.items()}, abs=1e-6)


def test_retrieval_from_pairs_takes_each_document_once(tmp_path):
    path = write(tmp_path / "p.tsv", ("query", "doc"), [("가", "나"), ("다", "나"), ("가", "라")])
    data = read_retrieval(path)
    assert data.documents == ("나", "라")
    assert data.queries == ("가", "다")
    assert data.relevant == ({0: 1.0, 1: 1.0}, {0: 1.0})


def test_retrieval_data_that_do_not_fit(retrieval_folder):
    qrels = retrieval_folder / "qrels.tsv"
    write(qrels, ("qid", "docid", "rel"), [("q0", "d999", 1)])
    with pytest.raises(InputError, match=r"qrels\.tsv:2: id 'd999' is in neither"):
        read_retrieval(retrieval_folder)
    write(qrels, ("qid", "docid", "rel"), [("q0", "d1", "yes")])
    with pytest.raises(InputError, match="relevance 'yes' is not a number"):
        read_retrieval(retrieval_folder)
    write(qrels, ("qid", "docid", "rel"), [("q0", "d1", 0)])
    with pytest.raises(InputError, match="no query has a relevant document"):
        read_retrieval(retrieval_folder)
    qrels.unlink()
    with pytest.raises(InputError, match=r"no qrels\.tsv; a file of query-document pairs"):
        read_retrieval(retrieval_folder)
    write(qrels, ("qid", "docid", "rel"), [("q0", "d1", 1)])
    write(retrieval_folder / "docs.tsv", ("docid", "doc"), [("d1", "가"), ("d1", "나")])
    with pytest.raises(InputError, match="two rows have the id 'd1'"):
        read_retrieval(retrieval_folder)


def test_topics(tmp_path):
    cluster = pytest.importorskip("sklearn.cluster")
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(6)
    rows = [(" ".join(draw.choice(WORDS[3 * t : 3 * t + 4], 3)), f"주제 {t}") for t in range(3) for _ in range(30)]
    write(tmp_path / "topics.tsv", ("text", "label"), rows)
    model = CharacterEncoder()
    score = evaluate(model, "topics", tmp_path)["topics"]
    unit = encode(model, [text for text, _ in rows])
    labels = [label for _, label in rows]
    expected = np.mean(
        [
            metrics.v_measure_score(labels, cluster.KMeans(3, n_init=4, random_state=s).fit_predict(unit))
            for s in range(4)
        ]
    )
    assert score.metrics["v_measure"] == pytest.approx(100 * expected, abs=1e-6)
    one = write(tmp_path / "one.tsv", ("text", "label"), [("가", "a"), ("나", "a")])
    with pytest.raises(InputError, match="there must be two"):
        evaluate(model, "topics", one)


def test_topics_without_sklearn_name_the_extra(tmp_path, monkeypatch):
    import sys

    path = write(tmp_path / "topics.tsv", ("text", "label"), [("가", "a"), ("나", "b")])
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ko-sentence-transformers\[topics\]'"):
        evaluate(CharacterEncoder(), "topics", path)


def test_bitext(tmp_path):
    rows = [("바다", "바다"), ("산과 강", "산강"), ("버스", "기차"), ("기차", "버스"), ("바다", "바다")]
    path = write(tmp_path / "bitext.tsv", ("ko", "en"), rows)
    metrics = evaluate(CharacterEncoder(), "bitext", path)["bitext"].metrics
    # The swapped pair is wrong both ways; the sentence that is there twice is right either way.
    assert metrics == {"accuracy": 60.0, "forward_accuracy": 60.0, "backward_accuracy": 60.0}


def test_groups_equal_a_full_sort(tmp_path):
    rows = [(g, f"{WORDS[g]} {WORDS[g]} {WORDS[(g + i) % 12]}") for g in range(10) for i in range(1, 4)]
    rows.append((99, "혼자"))
    path = write(tmp_path / "groups.tsv", ("group", "sentence"), rows)
    model = CharacterEncoder()
    score = evaluate(model, "groups", path)["groups"]
    unit = encode(model, [text for _, text in rows])
    group = np.array([g for g, _ in rows])
    scores = unit @ unit.T
    np.fill_diagonal(scores, -9)
    precisions = []
    for i in range(len(rows) - 1):
        top = np.argsort(-scores[i], kind="stable")[: (group == group[i]).sum() - 1]
        precisions.append(np.mean(group[top] == group[i]))
    assert score.n == 10
    assert score.metrics["r_precision"] == pytest.approx(100 * np.mean(precisions))
    alone = write(tmp_path / "alone.tsv", ("group", "sentence"), [(1, "가"), (2, "나")])
    with pytest.raises(InputError, match="no group has two texts"):
        evaluate(model, "groups", alone)


def test_several_tasks_from_one_folder(korsts_folder):
    write(korsts_folder / "bitext.tsv", ("ko", "en"), [("바다", "바다 x"), ("산", "산 y"), ("강", "강 z")])
    done = []
    scores = evaluate(CharacterEncoder(), ["korsts", "bitext"], korsts_folder, progress=done.append)
    assert list(scores) == ["korsts", "bitext"]
    assert sum(done) == 2 * 120 + 2 * 3


def test_a_model_does_not_differ_from_itself(korsts_folder):
    result = compare(CharacterEncoder(), CharacterEncoder(), "korsts", korsts_folder)["korsts"]
    assert (result.difference, result.interval, result.p) == (0.0, (0.0, 0.0), 1.0)


def test_a_better_model_is_told_from_a_worse_one(korsts_folder):
    class Noisy(CharacterEncoder):
        def embed(self, parts, *, batch_tokens=0):
            # Noise that the two sentences of a pair do not share, the same for the same sentence.
            noise = [np.random.default_rng(int(ids.sum())).normal(size=self.dim) * 8 for ids in parts]
            return (super().embed(parts) + noise).astype(np.float32)

    better, worse = CharacterEncoder(dim=256), Noisy(dim=256)
    result = compare(better, worse, "korsts", korsts_folder)["korsts"]
    swapped = compare(worse, better, "korsts", korsts_folder)["korsts"]
    low, high = result.interval
    assert 0 < low < result.difference < high
    assert result.p < 0.05
    assert swapped.difference == pytest.approx(-result.difference)
    assert swapped.interval == pytest.approx((-high, -low), abs=1e-9)
    assert result.a == evaluate(better, "korsts", korsts_folder)["korsts"].metrics["cosine_spearman"]


def test_pairing_narrows_the_interval(korsts_folder):
    near = CharacterEncoder(dim=64)
    far = CharacterEncoder(dim=64)
    far._table = far._table + np.random.default_rng(2).normal(size=far._table.shape).astype(np.float32) * 0.1
    result = compare(near, far, "korsts", korsts_folder)["korsts"]
    alone = evaluate(near, "korsts", korsts_folder)["korsts"].interval
    assert result.interval[1] - result.interval[0] < (alone[1] - alone[0]) / 2


def test_the_task_table():
    names = [task.name for task in list_tasks()]
    assert names == ["korsts", "klue-sts", "pairs", "retrieval", "topics", "bitext", "groups"]
    assert get_task("klue-sts").split == "dev"


def test_truncated_texts_are_reported_once(korsts_folder, caplog):
    model = CharacterEncoder()
    model.max_seq_length = 8
    with caplog.at_level(logging.WARNING):
        evaluate(model, "korsts", korsts_folder)
    assert all("longer than 8 tokens" in record.message for record in caplog.records)
    assert len(caplog.records) == 2  # one a side


def test_evaluation_opens_no_socket(korsts_folder, monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    evaluate(CharacterEncoder(), "korsts", korsts_folder)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_model_folder_scores_as_sentence_transformers_own_evaluator(tiny_model, tiny_model_folder, tmp_path):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    evaluators = pytest.importorskip("sentence_transformers.evaluation")
    draw = np.random.default_rng(8)
    words = ["오늘", "날씨", "비가", "공원", "강아지", "산책", "회의", "오후", "서울", "부산", "기차", "영화"]
    rows = [
        (" ".join(draw.choice(words, 5)), " ".join(draw.choice(words, 4)), draw.integers(0, 51) / 10) for _ in range(60)
    ]
    path = write(tmp_path / "sts.tsv", ("sentence1", "sentence2", "score"), rows)
    own = evaluate(tiny_model, "korsts", path)["korsts"].metrics
    reference = evaluators.EmbeddingSimilarityEvaluator(
        *([row[column] for row in rows] for column in range(3)),
        similarity_fn_names=["cosine", "euclidean", "manhattan", "dot"],
        write_csv=False,
    )(sentence_transformers.SentenceTransformer(str(tiny_model_folder), device="cpu"))
    assert len(own) == 8
    for name, value in own.items():
        similarity, correlation = name.split("_")
        assert value == pytest.approx(100 * float(reference[f"{correlation}_{similarity}"]), abs=0.02), name
    # The vectors are not unit length: a distance could say something else than the cosine does.
    vectors = tiny_model.embed(tiny_model.tokenize([row[0] for row in rows]))
    assert np.ptp(np.linalg.norm(vectors, axis=1)) > 0.01


def test_the_command_on_a_model_folder(tiny_model, tiny_model_folder, korsts_folder, capsys):
    from ko_sentence_transformers.cli import run

    assert run(["evaluate", str(tiny_model_folder), "--task", "korsts", "--data", str(korsts_folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)["korsts"]
    assert document.pop("n") == 120
    assert len(document.pop("cosine_spearman_interval")) == 2
    assert document == pytest.approx(evaluate(tiny_model, "korsts", korsts_folder)["korsts"].metrics, abs=0.5)


@pytest.mark.shared
def test_korsts_test_has_its_1379_rows(shared):
    score = evaluate(CharacterEncoder(dim=64), ["korsts", "klue-sts"], shared / "data/eval", dims=(32,))
    assert (score["korsts"].n, score["klue-sts"].n) == (1379, 519)
    assert 30 < score["korsts"].metrics["cosine_spearman"] < 70  # characters alone say something
