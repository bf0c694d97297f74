"""What ships: it makes the vectors it was released with, and plain sentence-transformers reads a copy of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ko_sentence_transformers import encode, list_models, load_model, similarity
from ko_sentence_transformers.diagnosis import check_models
from ko_sentence_transformers.model import copy_model

SHIPPED = [meta for meta in list_models() if meta.source == "shipped"]
SENTENCES = ["오늘 날씨가 참 좋네요.", "날씨가 정말 맑아요.", "은행에서 대출을 받았다.", "퇴직금은 언제 받나요?", "네"]


def test_golden_vectors() -> None:
    pytest.importorskip("openvino")
    rows = check_models()
    assert rows and all(row["ok"] for row in rows), rows


@pytest.mark.parametrize("meta", SHIPPED, ids=lambda meta: meta.name)
def test_facts_of_the_table(meta) -> None:
    pytest.importorskip("openvino")
    model = load_model(meta.name)
    assert (model.dim, model.max_seq_length) == (meta.dim, meta.max_seq_length)
    assert set(model.prompts) >= {"query", "document"}
    for name in ("README.md", "scores.json", "recipe.toml", "golden.json"):
        assert (meta.folder / name).is_file()


@pytest.mark.parametrize("meta", SHIPPED, ids=lambda meta: meta.name)
def test_a_copy_loads_in_sentence_transformers(meta, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    copy_model(meta.name, tmp_path / meta.name)
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / meta.name), device="cpu").encode(SENTENCES)
    ours = encode(load_model(meta.name), SENTENCES)
    cosines = (theirs * ours).sum(axis=1)
    assert cosines.mean() >= 0.99 and cosines.min() >= 0.98
    np.testing.assert_allclose(np.linalg.norm(theirs, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("meta", SHIPPED, ids=lambda meta: meta.name)
@pytest.mark.parametrize("dim", [None, 128, 64])
def test_near_sentences_are_near(meta, dim: int | None) -> None:
    pytest.importorskip("openvino")
    scores = similarity(*[encode(load_model(meta.name), SENTENCES, truncate_dim=dim)] * 2)
    assert scores[0, 1] > max(scores[0, 2], scores[0, 3], scores[1, 2])


@pytest.mark.parametrize("meta", SHIPPED, ids=lambda meta: meta.name)
def test_the_card_says_what_was_measured(meta) -> None:
    scores = json.loads((meta.folder / "scores.json").read_text())
    card = (meta.folder / "README.md").read_text()
    assert f"Cosine Spearman: {scores['korsts_test']['cosine_spearman']:.2f}" in card
    assert f"Cosine Pearson: {scores['korsts_test']['cosine_pearson']:.2f}" in card


@pytest.mark.shared
@pytest.mark.parametrize("meta", SHIPPED, ids=lambda meta: meta.name)
def test_korsts(meta, shared: Path) -> None:
    from scipy.stats import spearmanr

    lines = (shared / "data" / "eval" / "korsts_dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    first, second, gold = zip(*(line.split("\t") for line in lines), strict=True)
    model = load_model(meta.name)
    cosines = (encode(model, first) * encode(model, second)).sum(axis=1)
    expected = json.loads((meta.folder / "scores.json").read_text())["korsts_dev"]["cosine_spearman"]
    assert 100 * spearmanr(cosines, [float(g) for g in gold]).statistic == pytest.approx(expected, abs=0.3)
