"""Trimmed models against the models they come from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from model_folders import CORPUS, SHAPES, save_model

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from ko_sentence_transformers import load_model
from ko_sentence_transformers.cli import run
from ko_sentence_transformers.errors import InputError, ModelFolderError
from ko_sentence_transformers.trimming import trim_model

COVERED = CORPUS[::4]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("whole")
    return {shape: save_model(root / shape, shape) for shape in SHAPES}


def vectors(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True).encode(texts)


@pytest.mark.parametrize("shape", SHAPES)
def test_covered_texts_keep_their_vectors(folders, tmp_path, shape) -> None:
    report = trim_model(folders[shape], tmp_path / "out", COVERED)
    assert report.pieces_after < report.pieces_before
    assert report.size_mb_after < report.size_mb_before
    assert report.tokens_after == report.tokens_before
    assert report.texts == len(COVERED)
    np.testing.assert_array_equal(vectors(tmp_path / "out", COVERED), vectors(folders[shape], COVERED))
    before, after = (load_model(path, engine="torch") for path in (folders[shape], tmp_path / "out"))
    np.testing.assert_array_equal(after.encode(COVERED), before.encode(COVERED))
    names = [model._tokenizer.id_to_token for model in (before, after)]
    for old, new in zip(before.tokenize(COVERED), after.tokenize(COVERED), strict=True):
        assert [names[0](i) for i in old] == [names[1](i) for i in new]


@pytest.mark.parametrize("shape", SHAPES)
def test_prompts_and_ascii_stay(folders, tmp_path, shape) -> None:
    trim_model(folders[shape], tmp_path / "out", ["오늘 날씨가 참 좋네요."])
    texts = ["질문: 오늘 날씨가 참 좋네요."]
    np.testing.assert_array_equal(vectors(tmp_path / "out", texts), vectors(folders[shape], texts))
    before, after = (load_model(path, engine="torch") for path in (folders[shape], tmp_path / "out"))
    for text in ("Python", "2019", "12%"):
        unknown = [int((model.tokenize([text])[0] == model.unknown_id).sum()) for model in (before, after)]
        assert unknown[0] == unknown[1]


def test_keep_hangul_keeps_more(folders, tmp_path) -> None:
    few = trim_model(folders["xlm-roberta"], tmp_path / "few", COVERED[:5])
    more = trim_model(folders["xlm-roberta"], tmp_path / "more", COVERED[:5], keep_hangul=True)
    assert few.pieces_after < more.pieces_after <= more.pieces_before
    rest = [text for text in CORPUS if text.isascii() or all("가" <= c <= "힣" or c in " .?" for c in text)]
    np.testing.assert_array_equal(vectors(tmp_path / "more", rest), vectors(folders["xlm-roberta"], rest))


def test_a_trimmed_model_exports(folders, tmp_path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("openvino")
    from ko_sentence_transformers.export import export_model

    trim_model(folders["roberta"], tmp_path / "small", COVERED)
    export_model(tmp_path / "small", tmp_path / "onnx", to="onnx")
    expected = load_model(folders["roberta"], engine="torch").encode(COVERED)
    np.testing.assert_allclose(load_model(tmp_path / "onnx").encode(COVERED), expected, atol=2e-5)


def test_static_model(folders, tmp_path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = load_model(folders["bert"], engine="torch")._tokenizer
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu").save(
        str(tmp_path / "static"), create_model_card=False
    )
    report = trim_model(tmp_path / "static", tmp_path / "out", COVERED)
    assert report.pieces_after < report.pieces_before
    np.testing.assert_array_equal(
        load_model(tmp_path / "out").encode(COVERED), load_model(tmp_path / "static").encode(COVERED)
    )


def test_bad_requests(folders, tmp_path) -> None:
    with pytest.raises(InputError, match="no text"):
        trim_model(folders["bert"], tmp_path / "out", ["", "  "])
    import shutil

    shutil.copytree(folders["bert"], tmp_path / "odd")
    path = tmp_path / "odd" / "model.safetensors"
    from safetensors.numpy import load_file, save_file

    weights = load_file(path)
    weights["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][:9].copy()
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(ModelFolderError, match="has 9 rows"):
        trim_model(tmp_path / "odd", tmp_path / "out", COVERED)
    assert not (tmp_path / "out").exists()


def test_command(folders, tmp_path, capsys) -> None:
    (tmp_path / "corpus.txt").write_text("\n".join(COVERED))
    arguments = ["trim", str(folders["bert"]), "--corpus", str(tmp_path / "corpus.txt")]
    assert run([*arguments, "--output", str(tmp_path / "out"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pieces_after"] < report["pieces_before"]
    assert report["tokens_before"] == report["tokens_after"]
