"""Loading and running models, against sentence-transformers and plain numpy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from conftest import SENTENCES
from ko_sentence_transformers import encode, load_model
from ko_sentence_transformers.errors import InputError, ModelError, ModelFolderError, UnknownModelError


@pytest.fixture(params=["openvino", "onnxruntime", "torch"])
def engine(request: pytest.FixtureRequest) -> str:
    pytest.importorskip("transformers" if request.param == "torch" else request.param)
    return request.param


def test_vectors_equal_sentence_transformers(tiny_model_folder: Path, engine: str) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    theirs = sentence_transformers.SentenceTransformer(str(tiny_model_folder), device="cpu")
    texts = [*SENTENCES, "짧다", " ".join(SENTENCES)]
    ours = encode(load_model(tiny_model_folder, engine=engine), texts)
    np.testing.assert_allclose(ours, theirs.encode(texts, normalize_embeddings=True), atol=2e-5)


def test_a_text_alone_and_many_batches_give_the_same_vectors(tiny_model_folder: Path) -> None:
    pytest.importorskip("openvino")
    model = load_model(tiny_model_folder, engine="openvino", threads=2)
    before = model.encode(SENTENCES[:1])
    many = encode(model, SENTENCES * 4, batch_tokens=16)
    after = model.encode(SENTENCES[:1])
    np.testing.assert_allclose(before, many[:1], atol=1e-5)
    np.testing.assert_array_equal(before, after)


def test_callers_at_the_same_time_get_their_own_vectors(tiny_model_folder: Path) -> None:
    pytest.importorskip("openvino")
    expected = load_model(tiny_model_folder, engine="onnxruntime").encode(SENTENCES)
    model = load_model(tiny_model_folder, engine="openvino", threads=2)
    order = [number % len(SENTENCES) for number in range(200)]
    with ThreadPoolExecutor(8) as callers:
        vectors = list(callers.map(lambda number: model.encode([SENTENCES[number]])[0], order))
    np.testing.assert_allclose(vectors, expected[order], atol=2e-5)


def test_several_texts_in_a_row_do_not_see_each_other(tiny_model) -> None:
    together = tiny_model.encode(SENTENCES)
    alone = np.concatenate([tiny_model.encode([text]) for text in SENTENCES])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"),
        ("pooling_mode_lasttoken", "lasttoken"),
    ],
)
def test_every_pooling_equals_sentence_transformers(
    tiny_model_folder: Path, tmp_path: Path, mode: str, name: str
) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    config = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": False, mode: True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    expected = theirs.encode(SENTENCES, normalize_embeddings=True)
    np.testing.assert_allclose(load_model(folder, threads=1).encode(SENTENCES), expected, atol=2e-5)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"embedding_dimension": 32, "pooling_mode": name}))
    np.testing.assert_allclose(load_model(folder, threads=1).encode(SENTENCES), expected, atol=2e-5)


def test_facts_of_a_model(tiny_model) -> None:
    assert (tiny_model.dim, tiny_model.max_seq_length) == (32, 48)
    assert tiny_model.prompts == {"query": "질문: ", "document": "문서: "}
    ids = tiny_model.tokenize(["오늘 날씨가"])[0]
    assert ids[0] == 2 and ids[-1] == 3


def test_max_seq_length_can_be_set(tiny_model_folder: Path) -> None:
    model = load_model(tiny_model_folder, max_seq_length=8, threads=1)
    assert model.max_seq_length == 8
    with pytest.raises(InputError, match="max_seq_length is 900"):
        load_model(tiny_model_folder, max_seq_length=900)


def test_a_static_model_is_a_mean_of_rows(tiny_model_folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    sentence_transformers = pytest.importorskip("sentence_transformers")
    path = tmp_path / "static" / "0_StaticEmbedding"
    path.mkdir(parents=True)
    shutil.copy(tiny_model_folder / "tokenizer.json", path)
    table = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
    save_file({"embedding.weight": table}, path / "model.safetensors")
    kind = "sentence_transformers.models.StaticEmbedding"
    rows = [{"idx": 0, "name": "0", "path": "0_StaticEmbedding", "type": kind}]
    (path.parent / "modules.json").write_text(json.dumps(rows))
    model = load_model(path.parent)
    theirs = sentence_transformers.SentenceTransformer(str(path.parent), device="cpu")
    np.testing.assert_allclose(model.encode(SENTENCES), theirs.encode(SENTENCES, normalize_embeddings=True), atol=1e-5)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownModelError, match=r"did you mean .*ko-sbert-small"):
        load_model("ko-sbert-smal")


def test_hub_models_are_not_downloaded_unasked() -> None:
    for name in ("jhgan/ko-sbert-nli", "ko-sbert-nli", "someone/some-model"):
        with pytest.raises(ModelError, match="--download"):
            load_model(name)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "onnx/model.onnx", "modules.json", "1_Pooling/config.json"]
)
@pytest.mark.parametrize("engine_name", ["openvino", "onnxruntime"])
def test_a_missing_or_cut_off_file_is_one_line(
    tiny_model_folder: Path, tmp_path: Path, name: str, engine_name: str
) -> None:
    pytest.importorskip(engine_name)
    folder = shutil.copytree(tiny_model_folder, tmp_path / "model")
    file = folder / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ModelFolderError) as caught:
        load_model(folder, engine=engine_name)
    assert "\n" not in str(caught.value)
    file.unlink()
    if name != "modules.json":  # a folder without it is a bare encoder, mean pooled
        with pytest.raises(ModelFolderError, match=name.split("/")[-1]):
            load_model(folder, engine=engine_name)


def test_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="no model folder"):
        load_model(tmp_path)
    with pytest.raises(UnknownModelError, match="no such folder"):
        load_model("./nowhere")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="is a file"):
        load_model(file)


def test_bad_engine_and_threads(tiny_model_folder: Path) -> None:
    with pytest.raises(InputError, match="engine 'cuda' is unknown"):
        load_model(tiny_model_folder, engine="cuda")
    with pytest.raises(InputError, match="threads is 0"):
        load_model(tiny_model_folder, threads=0)


def test_leading_dimensions_from_the_start(tiny_model_folder: Path) -> None:
    texts = ["밥을 먹었다", "오늘 날씨가 좋다"]
    whole = encode(load_model(tiny_model_folder), texts)
    model = load_model(tiny_model_folder, truncate_dim=8)
    wanted = whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True)
    assert model.dim == 8
    np.testing.assert_allclose(encode(model, texts), wanted, atol=1e-6)
    with pytest.raises(InputError, match="truncate_dim is 4096"):
        load_model(tiny_model_folder, truncate_dim=4096)


FIRST_USE = """
import faulthandler, sys
faulthandler.dump_traceback_later(50, exit=True)
sys.setswitchinterval(1e-6)
from ko_sentence_transformers import load_model
load_model(sys.argv[1], engine="openvino").encode([f"{number}번 글" for number in range(2000)])
"""


def test_threads_that_use_the_engine_first_at_once_do_not_block(tiny_model_folder: Path) -> None:
    pytest.importorskip("openvino")
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", FIRST_USE, str(tiny_model_folder)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-500:]
