"""Exports against sentence-transformers' own vectors, and what a failed one leaves behind."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from model_folders import CORPUS, SHAPES, save_model

pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("openvino")

from ko_sentence_transformers import load_model
from ko_sentence_transformers.cli import run
from ko_sentence_transformers.diagnosis import _problem
from ko_sentence_transformers.errors import InputError, ModelError, ModelFolderError, OutputError
from ko_sentence_transformers.export import FORMATS, export_model, exporting
from ko_sentence_transformers.export.sentences import PROBE, josa, korean_sentences

TEXTS = CORPUS[:60]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("shapes")
    return {shape: save_model(root / shape, shape, dense=shape == "bert") for shape in SHAPES}


def reference(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return model.encode(texts, normalize_embeddings=True)


@pytest.mark.parametrize("to", ["onnx", "openvino", "portable"])
@pytest.mark.parametrize("shape", SHAPES)
def test_full_precision_equals_sentence_transformers(folders, tmp_path, shape, to) -> None:
    report = export_model(folders[shape], tmp_path / "out", to=to)
    model = load_model(tmp_path / "out")
    np.testing.assert_allclose(model.encode(TEXTS), reference(folders[shape], TEXTS), atol=2e-5)
    assert report.min_cosine > 0.9999
    assert report.reference == "torch"
    assert report.dim == model.dim == (24 if shape == "bert" else 32)
    assert model.max_seq_length == 48
    assert model.prompts["query"] == "질문: "


@pytest.mark.parametrize("shape", SHAPES)
def test_int8_is_close_and_smaller(folders, tmp_path, shape) -> None:
    pytest.importorskip("nncf")
    report = export_model(folders[shape], tmp_path / "int8", calibration=korean_sentences(40))
    exact = export_model(folders[shape], tmp_path / "exact", to="onnx")
    cosines = (load_model(tmp_path / "int8").encode(TEXTS) * reference(folders[shape], TEXTS)).sum(axis=1)
    assert cosines.mean() > 0.99
    assert report.mean_cosine > 0.99
    files = [folder / "onnx" / "model.onnx" for folder in (tmp_path / "int8", tmp_path / "exact")]
    assert files[0].stat().st_size < files[1].stat().st_size
    assert exact.size_mb > 0
    assert not (tmp_path / "int8" / "model.safetensors").exists()
    assert all(_problem(tmp_path / "int8", engine) is None for engine in ("openvino", "onnxruntime"))
    assert sys.modules["openvino_telemetry"] is None


@pytest.mark.parametrize("shape", SHAPES)
def test_portable_metadata_is_the_old_form_and_sentence_transformers_reads_it(folders, tmp_path, shape) -> None:
    export_model(folders[shape], tmp_path / "out", to="portable")
    read = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")}
    assert read["sentence_bert_config.json"] == {"max_seq_length": 48, "do_lower_case": False}
    assert all(row["type"].startswith("sentence_transformers.models.") for row in read["modules.json"])
    pooling = json.loads((tmp_path / "out" / "1_Pooling" / "config.json").read_text())
    assert pooling["pooling_mode_mean_tokens"] is True
    assert pooling["word_embedding_dimension"] == 32
    assert read["special_tokens_map.json"]["unk_token"] == "<unk>"
    assert read["tokenizer_config.json"].get("add_prefix_space") == (True if shape == "roberta" else None)
    assert read["tokenizer_config.json"]["tokenizer_class"] == "PreTrainedTokenizerFast"
    np.testing.assert_allclose(reference(tmp_path / "out", TEXTS), reference(folders[shape], TEXTS), atol=1e-6)


def test_lower_case_moves_into_the_tokenizer(folders, tmp_path) -> None:
    shutil.copytree(folders["roberta"], tmp_path / "lower")
    (tmp_path / "lower" / "sentence_bert_config.json").write_text('{"max_seq_length": 48, "do_lower_case": true}')
    export_model(tmp_path / "lower", tmp_path / "out", to="portable")
    texts = ["AI 스피커", "Python"]
    for vectors in (load_model(tmp_path / "out").encode(texts), reference(tmp_path / "out", texts)):
        np.testing.assert_allclose(vectors, reference(folders["roberta"], [t.lower() for t in texts]), atol=2e-5)


def test_cls_pooling_is_kept(tmp_path) -> None:
    folder = save_model(tmp_path / "cls", "xlm-roberta", pooling="cls")
    export_model(folder, tmp_path / "out", to="onnx")
    np.testing.assert_allclose(load_model(tmp_path / "out").encode(TEXTS), reference(folder, TEXTS), atol=2e-5)


def test_models_on_the_way_stay_out_of_the_cache(tiny_model_folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KO_ST_CACHE", str(tmp_path / "cache"))
    export_model(tiny_model_folder, tmp_path / "out", to="onnx")
    assert not (tmp_path / "cache").exists()
    load_model(tmp_path / "out").encode(["안녕하세요"])
    assert (tmp_path / "cache" / "openvino").is_dir()


def test_no_torch_needed(folders, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    assert export_model(folders["bert"], tmp_path / "out", to="onnx").reference == "onnx"


def test_an_export_can_be_exported_again(folders, tmp_path) -> None:
    export_model(folders["roberta"], tmp_path / "one", to="portable")
    export_model(tmp_path / "one", tmp_path / "two", to="portable")
    for name in ("modules.json", "tokenizer.json", "tokenizer_config.json", "config.json", "sentence_bert_config.json"):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()


def test_int8_weights_are_restored(tiny_model_folder, tmp_path) -> None:
    pytest.importorskip("nncf")
    export_model(tiny_model_folder, tmp_path / "int8", calibration=korean_sentences(30))
    export_model(tmp_path / "int8", tmp_path / "back", to="portable")
    cosines = (reference(tmp_path / "back", TEXTS) * load_model(tiny_model_folder).encode(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.99


def test_vectors_that_differ_fail_and_write_nothing(folders, tmp_path, monkeypatch) -> None:
    graph = exporting.encoder_graph

    def damaged(config, weights):
        name = next(name for name in weights if name.endswith("0.output.dense.weight"))
        return graph(config, {**weights, name: -weights[name]})

    monkeypatch.setattr(exporting, "encoder_graph", damaged)
    with pytest.raises(ModelError, match=r"cosine .* needed; nothing was written"):
        export_model(folders["bert"], tmp_path / "out", to="onnx")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_not_finite_fail(tiny_model_folder, tmp_path) -> None:
    from safetensors.numpy import load_file, save_file

    shutil.copytree(tiny_model_folder, tmp_path / "nan")
    weights = load_file(tmp_path / "nan" / "model.safetensors")
    weights["embeddings.LayerNorm.bias"][3] = np.nan
    save_file(weights, tmp_path / "nan" / "model.safetensors")
    with pytest.raises(ModelFolderError, match=r"embeddings\.LayerNorm\.bias holds NaN"):
        export_model(tmp_path / "nan", tmp_path / "out", to="onnx")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"model_type": "gpt2"}, "gpt2"), ({"hidden_act": "relu"}, "relu")],
)
def test_other_shapes_are_refused(tiny_model_folder, tmp_path, change, message) -> None:
    shutil.copytree(tiny_model_folder, tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ModelFolderError, match=message):
        export_model(tmp_path / "other", tmp_path / "out", to="onnx")


def test_bad_requests(tiny_model_folder, tmp_path) -> None:
    with pytest.raises(InputError, match="'tflite' is unknown"):
        export_model(tiny_model_folder, tmp_path / "out", to="tflite")
    with pytest.raises(InputError, match="calibration"):
        export_model(tiny_model_folder, tmp_path / "out", calibration=[" "])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        export_model(tiny_model_folder, tmp_path / "full", to="onnx")
    assert (tmp_path / "full" / "file").read_text() == "mine"


def test_a_static_model_has_no_network(tmp_path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = load_model(save_model(tmp_path / "bert", "bert"), engine="torch")._tokenizer
    static = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    static.save(str(tmp_path / "static"), create_model_card=False)
    with pytest.raises(InputError, match="static"):
        export_model(tmp_path / "static", tmp_path / "out", to="onnx")
    export_model(tmp_path / "static", tmp_path / "out", to="portable")
    np.testing.assert_allclose(reference(tmp_path / "out", TEXTS), reference(tmp_path / "static", TEXTS), atol=1e-6)


def test_command(tiny_model_folder, tmp_path, capsys) -> None:
    pytest.importorskip("nncf")
    (tmp_path / "texts.txt").write_text("\n".join(korean_sentences(20)))
    arguments = ["export", str(tiny_model_folder), "--output", str(tmp_path / "out")]
    assert run([*arguments, "--to", "onnx-int8", "--calibration", str(tmp_path / "texts.txt"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["format"] == "onnx-int8"
    assert report["path"] == str(tmp_path / "out")
    assert report["min_cosine"] > 0.95
    assert run([*arguments, "--to", "onnx"]) == 1
    assert "already exists" in capsys.readouterr().err


def test_sentences() -> None:
    sentences = korean_sentences(600)
    assert len(set(sentences)) == 600
    assert sentences[:300] == korean_sentences(300)
    assert not set(sentences) & set(PROBE)
    assert (josa("책", "을", "를"), josa("사과", "을", "를")) == ("책을", "사과를")
    assert set(FORMATS) == {"onnx", "onnx-int8", "openvino", "portable"}
