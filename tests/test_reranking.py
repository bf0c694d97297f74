"""Rerankers are real CrossEncoder folders, of both kinds that sentence-transformers writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conftest import CONFIG, write_tokenizer
from fake_encoder import FakeEncoder
from ko_sentence_transformers import Record, SearchIndex, cli
from ko_sentence_transformers.errors import KoSTError, ModelError, ModelFolderError
from ko_sentence_transformers.index import load_reranker

TEXTS = ["해고는 30일 전에 예고한다.", "보증금을 돌려준다.", "강아지는 목줄을 한다."]
QUERY = "해고 예고는 언제 하나요?"

pytest.importorskip("sentence_transformers")


def cross_encoder(folder: Path, labels: int = 1) -> Path:
    """Save a random BertForSequenceClassification with its tokenizer."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder.mkdir()
    size = write_tokenizer(folder)
    torch.manual_seed(1)
    settings = {name: value for name, value in CONFIG.items() if name not in ("model_type", "architectures")}
    config = BertConfig(**settings, vocab_size=size, num_labels=labels, initializer_range=0.3)
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> Path:
    return cross_encoder(tmp_path_factory.mktemp("rerankers") / "classifier")


def test_scores_are_those_of_sentence_transformers(classifier):
    from sentence_transformers import CrossEncoder

    expected = CrossEncoder(str(classifier)).predict([(QUERY, text) for text in TEXTS])
    assert np.allclose(load_reranker(str(classifier))(QUERY, TEXTS), expected, atol=1e-6)


def test_a_reranker_of_modules(tmp_path, tiny_model_folder):
    """Mean pooling and a linear layer instead of a classifier."""
    modules = pytest.importorskip("sentence_transformers.base.modules")
    pooling = pytest.importorskip("sentence_transformers.sentence_transformer.modules").Pooling
    import torch
    from sentence_transformers import CrossEncoder

    torch.manual_seed(1)
    parts = [
        modules.Transformer(str(tiny_model_folder), max_seq_length=48),
        pooling(32, pooling_mode="mean"),
        modules.Dense(32, 1, activation_function=torch.nn.Sigmoid(), module_output_name="scores"),
    ]
    model = CrossEncoder(modules=parts, device="cpu")
    model.save_pretrained(str(tmp_path / "modules"))
    expected = model.predict([(QUERY, text) for text in TEXTS])
    assert np.ptp(expected) > 0
    assert np.allclose(load_reranker(str(tmp_path / "modules"))(QUERY, TEXTS), expected, atol=1e-6)


def test_the_best_hits_are_read_again_with_their_titles(tmp_path):
    seen: list[str] = []

    def rerank(query: str, texts: list[str]) -> list[float]:
        seen.extend(texts)
        return [float(text.startswith("제목 7 ")) for text in texts]

    with SearchIndex.create(tmp_path / "index", encoder=FakeEncoder(), analyser="ngram") as index:
        index.add([Record(str(number), "해고 예고", {"title": f"제목 {number}"}) for number in range(200)])
        hits = index.search("해고 예고", 3, rerank=rerank)
    assert len(seen) == 50  # however many rows there are
    assert len(hits) == 3
    if any(text.startswith("제목 7 ") for text in seen):
        assert hits[0].id == "7" and hits[0].score == 1


def test_a_megabyte_is_not_read_whole(classifier):
    assert len(load_reranker(str(classifier))("해고" * 500_000, ["예고" * 500_000])) == 1


def test_what_cannot_rerank_is_one_line(tmp_path, classifier):
    for name, what in (
        (str(tmp_path), "holds no CrossEncoder"),
        ("없는/모델", "not on this disk"),
    ):
        with pytest.raises(KoSTError, match=what) as error:
            load_reranker(name)
        assert "\n" not in str(error.value)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    with pytest.raises(ModelFolderError, match="cannot be loaded"):
        load_reranker(str(tmp_path / "broken"))
    with pytest.raises(ModelError, match="gives 3 scores"):
        load_reranker(str(cross_encoder(tmp_path / "nli", labels=3)))(QUERY, TEXTS)


def test_the_command_reranks(tmp_path, capsys, classifier, tiny_model_folder):
    pytest.importorskip("openvino")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(TEXTS))
    folder = tmp_path / "index"
    built = ["index", "build", corpus, "--index", folder, "-m", tiny_model_folder, "--analyser", "ngram", "--json"]
    assert cli.run([*map(str, built)]) == 0
    capsys.readouterr()
    assert cli.run(["search", str(folder), QUERY, "--rerank", str(classifier), "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    expected = sorted(load_reranker(str(classifier))(QUERY, TEXTS), reverse=True)
    assert np.allclose([hit["score"] for hit in hits], expected, atol=1e-6)
