"""Static models: tables in float32 and in 8 bits, against sentence-transformers and plain sums."""

from __future__ import annotations

import json
import logging
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from conftest import SENTENCES
from ko_sentence_transformers import encode, export_model, load_model
from ko_sentence_transformers.errors import InputError, ModelFolderError
from ko_sentence_transformers.export import write_full_precision
from ko_sentence_transformers.restore import restore_weights
from ko_sentence_transformers.static_table import mean_rows, read_table, write_table

TEXTS = [*SENTENCES, "짧다", " ".join(SENTENCES * 40), "ψωξ ζη", "네"]


@pytest.fixture
def static_folder(tiny_model_folder: Path, tmp_path: Path) -> Path:
    """A random table behind the tiny tokenizer, then unit length."""
    from safetensors.numpy import save_file

    path = tmp_path / "static" / "0_StaticEmbedding"
    path.mkdir(parents=True)
    shutil.copy(tiny_model_folder / "tokenizer.json", path)
    table = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
    table *= np.random.default_rng(1).uniform(0.1, 9, size=(400, 1)).astype(np.float32)
    save_file({"embedding.weight": table}, path / "model.safetensors")
    kinds = [("0_StaticEmbedding", "StaticEmbedding"), ("1_Normalize", "Normalize")]
    rows = [
        {"idx": i, "name": str(i), "path": where, "type": f"sentence_transformers.models.{kind}"}
        for i, (where, kind) in enumerate(kinds)
    ]
    (path.parent / "modules.json").write_text(json.dumps(rows))
    (path.parent / "1_Normalize").mkdir()
    return path.parent


def theirs(folder: Path, texts: list[str] = TEXTS) -> np.ndarray:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    return sentence_transformers.SentenceTransformer(str(folder), device="cpu").encode(texts)


@pytest.mark.parametrize("sizes", [[], [0], [3], [0, 5, 0, 1, 0], [1] * 3000, [2000, 0, 257, 256, 3, 5000]])
def test_mean_rows_are_means_of_rows(sizes: list[int]) -> None:
    rng = np.random.default_rng(2)
    table = rng.normal(size=(50, 7)).astype(np.float32)
    ids = rng.integers(0, 50, sum(sizes))
    found = mean_rows(table, ids, np.asarray(sizes, dtype=np.int64))
    assert found.shape == (len(sizes), 7) and found.dtype == np.float32
    parts = np.split(ids, np.cumsum(sizes)[:-1]) if sizes else []
    for row, part in zip(found, parts, strict=True):
        expected = table[part].astype(np.float64).mean(axis=0) if len(part) else np.zeros(7)
        np.testing.assert_allclose(row, expected, atol=1e-5)


def test_vectors_equal_sentence_transformers(static_folder: Path) -> None:
    np.testing.assert_allclose(load_model(static_folder).encode(TEXTS), theirs(static_folder), atol=1e-5)


def test_blank_and_unknown_texts(static_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = load_model(static_folder)
    with caplog.at_level(logging.WARNING):
        out = encode(model, ["", SENTENCES[0], " \n", "ψωξ ζη"])
    assert "2 of 4 texts are blank" in caplog.text
    assert not out[[0, 2]].any()
    np.testing.assert_allclose(np.linalg.norm(out[[1, 3]], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encode(model, SENTENCES[:1]), out[[1]], atol=1e-6)


def test_eight_bits_are_close_and_read_by_sentence_transformers(static_folder: Path, tmp_path: Path) -> None:
    before = load_model(static_folder).encode(TEXTS)
    report = export_model(static_folder, tmp_path / "small", to="onnx-int8")
    assert report.min_cosine > 0.999 and report.reference == "numpy"
    network = tmp_path / "small" / "0_StaticEmbedding"
    from safetensors.numpy import load_file

    assert load_file(network / "model.safetensors")["embeddings"].dtype == np.int8
    ours = load_model(tmp_path / "small").encode(TEXTS)
    assert (ours * before).sum(axis=1).min() > 0.999
    # The folder as it is, and with its float table again, are the same vectors elsewhere.
    np.testing.assert_allclose(theirs(tmp_path / "small"), ours, atol=1e-5)
    restore_weights(tmp_path / "small")
    assert load_file(network / "model.safetensors")["embedding.weight"].dtype == np.float32
    np.testing.assert_allclose(theirs(tmp_path / "small"), ours, atol=1e-5)
    assert json.loads((tmp_path / "small" / "golden.json").read_text())["ids"]


def test_export_from_eight_bits_is_float_again(static_folder: Path, tmp_path: Path) -> None:
    export_model(static_folder, tmp_path / "small", to="onnx-int8")
    export_model(tmp_path / "small", tmp_path / "large", to="portable")
    (tmp_path / "full").mkdir()
    write_full_precision(tmp_path / "small", tmp_path / "full")
    wanted = read_table(tmp_path / "small" / "0_StaticEmbedding")
    for name in ("large", "full"):
        np.testing.assert_array_equal(read_table(tmp_path / name / "0_StaticEmbedding"), wanted)
        np.testing.assert_allclose(theirs(tmp_path / name), load_model(tmp_path / "small").encode(TEXTS), atol=1e-5)
    with pytest.raises(InputError, match="no network to export to openvino; --to onnx-int8 writes its table"):
        export_model(tmp_path / "small", tmp_path / "other", to="openvino")
    assert not (tmp_path / "other").exists()


def test_shared_rows_are_read(static_folder: Path) -> None:
    from safetensors.numpy import save_file

    network = static_folder / "0_StaticEmbedding"
    table = read_table(network)[:50].astype(np.float16)
    mapping = np.arange(400) % 50
    weights = np.random.default_rng(3).uniform(0.5, 2, 400).astype(np.float32)
    save_file({"embeddings": table, "mapping": mapping, "weights": weights}, network / "model.safetensors")
    np.testing.assert_array_equal(read_table(network), table.astype(np.float32)[mapping] * weights[:, None])
    np.testing.assert_allclose(load_model(static_folder).encode(TEXTS), theirs(static_folder), atol=1e-5)


def test_tables_that_are_none(static_folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    with pytest.raises(ModelFolderError, match="NaN or infinity"):
        write_table(tmp_path, np.full((2, 2), np.nan, dtype=np.float32), eight_bits=True)
    write_table(tmp_path, np.zeros((2, 3), dtype=np.float32), eight_bits=True)
    np.testing.assert_array_equal(read_table(tmp_path), np.zeros((2, 3)))
    save_file({"other": np.zeros(3)}, static_folder / "0_StaticEmbedding" / "model.safetensors")
    with pytest.raises(ModelFolderError, match=r"holds no embedding\.weight"):
        load_model(static_folder)


STATIC = """
[model]
base = "{base}"
static_dim = 16
prompts = {{ query = "질문: " }}

[teacher]
model = "{teacher}"

[data]
dev = "sts-dev.tsv"

[data.sets.lines]
kind = "texts"
files = ["texts.txt"]

[data.sets.texts]
kind = "texts"
sets = ["lines", "ranked"]
loss = "relations"

[data.sets.sts]
kind = "sts"
files = ["sts-train.tsv"]
loss = "cosent"

[data.sets.ranked]
kind = "sts"
files = ["sts-train.tsv"]

[train]
batch_size = 16
learning_rate = 0.01
weight_decay = 0.0
matryoshka_dims = [16, 8]
precision = "fp32"
keep_best = false

[[stages]]
name = "taught"
sets = ["texts"]
epochs = 6

[[stages]]
name = "pairs"
loss = "ranks"
sets = ["texts", "ranked"]

[[stages]]
name = "scores"
sets = ["texts", "sts"]
"""


@pytest.mark.filterwarnings("default")
def test_a_recipe_makes_a_static_model(tiny_model_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    pytest.importorskip("openvino")
    from ko_sentence_transformers.recipe import load_recipe
    from ko_sentence_transformers.training import estimate, train

    data, texts = _training_data(tmp_path / "data")
    file = tmp_path / "nano.toml"
    file.write_text(STATIC.format(base=tiny_model_folder, teacher=tiny_model_folder), encoding="utf-8")
    stage = estimate(load_recipe(file), data).stages[0]
    pairs = [line.split("\t")[1:] for line in (data / "sts-train.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    assert stage.padding == 0 and stage.rows == {"texts": len({*texts, *(text for pair in pairs for text in pair)})}
    result = train(load_recipe(file), data, tmp_path / "nano")
    assert [stage.name for stage in result.figures.stages] == ["taught", "pairs", "scores"]
    model = load_model(tmp_path / "nano")
    assert model.dim == 16 and model.prompts["query"] == "질문: "
    np.testing.assert_allclose(model.encode(TEXTS), theirs(tmp_path / "nano"), atol=1e-5)
    # It takes the teacher's order of pairs over; the start knows it less well.
    start = tmp_path / "start"
    train(load_recipe(file, ["train.max_steps=1", "train.learning_rate=1e-9"]), data, start)
    wanted = _relations(load_model(tiny_model_folder, threads=1).encode(texts))
    taught, before = (_relations(load_model(folder).encode(texts)) for folder in (tmp_path / "nano", start))
    assert np.corrcoef(taught, wanted)[0, 1] > np.corrcoef(before, wanted)[0, 1] + 0.05
    # A static model can be trained on, and exported.
    again = load_recipe(file, [f"model.base={tmp_path / 'nano'}", "train.max_steps=2"])
    train(again, data, tmp_path / "again")
    assert load_model(tmp_path / "again").dim == 16
    assert export_model(tmp_path / "again", tmp_path / "small").min_cosine > 0.99


def _training_data(folder: Path) -> tuple[Path, list[str]]:
    """Write texts of the words that the tiny tokenizer knows, and pairs of them with random scores."""
    draw = random.Random(4)
    words = " ".join(SENTENCES).split()
    texts = [" ".join(draw.sample(words, draw.randint(2, 9))) for _ in range(160)]
    folder.mkdir()
    (folder / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    for name in ("train", "dev"):
        rows = [f"{5 * draw.random():.2f}\t{draw.choice(texts)}\t{draw.choice(texts)} {name}" for _ in range(40)]
        (folder / f"sts-{name}.tsv").write_text("\n".join(["score\tsentence1\tsentence2", *rows]), encoding="utf-8")
    return folder, texts


def _relations(vectors: np.ndarray) -> np.ndarray:
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    return (centred @ centred.T)[np.triu_indices(len(vectors), 1)]


def test_relations_loss_is_the_difference_of_cosines() -> None:
    torch = pytest.importorskip("torch")
    from ko_sentence_transformers.training.relations import RelationsLoss

    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(2, 6, 4)).astype(np.float32)
    labels = rng.normal(size=(6, 2, 9)).astype(np.float32)

    def model(features: dict) -> dict:
        return {"sentence_embedding": features["x"]}

    found = RelationsLoss(model)([{"x": torch.from_numpy(x)} for x in (first, second)], torch.from_numpy(labels))
    from scipy.spatial.distance import pdist

    teacher = np.concatenate([labels[:, 0], labels[:, 1]])
    difference = pdist(np.concatenate([first, second]), "cosine") - pdist(teacher, "cosine")
    assert float(found) == pytest.approx(100 * np.mean(np.square(difference)), rel=1e-4)


def test_what_a_static_recipe_cannot_be(tmp_path: Path) -> None:
    from ko_sentence_transformers.recipe import load_recipe

    with pytest.raises(InputError, match=r"model\.dim and model\.static_dim are both set"):
        load_recipe("ko-sbert-distill", ["model.dim=64", "model.static_dim=64"])
    with pytest.raises(InputError, match=r"model\.static_dim is set but teacher\.model is empty"):
        load_recipe("ko-sbert-sts", ["model.static_dim=64"])
    with pytest.raises(InputError, match=r"teacher\.model is empty"):
        load_recipe("ko-sbert-distill", ["teacher.model=", "data.sets.texts.loss=relations"])
    with pytest.raises(InputError, match=r"data\.sets\.all\.sets is 'titels'; it must be one of .*titles"):
        load_recipe("ko-sbert-nano", ["data.sets.all.sets=['titels']"])
    with pytest.raises(InputError, match=r"data\.sets\.all\.sets is for kind 'texts' without files"):
        load_recipe("ko-sbert-nano", ["data.sets.all.files=['a.txt']"])


def test_rows_that_a_batch_does_not_read_stay() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("accelerate")
    from ko_sentence_transformers.training.trainer import RowAdam

    torch.manual_seed(0)
    start = torch.randn(9, 4)
    tables = [
        torch.nn.EmbeddingBag.from_pretrained(start.clone(), freeze=False, sparse=sparse) for sparse in (False, True)
    ]
    optimizers = [RowAdam(tables[0].parameters(), lr=0.1), torch.optim.SparseAdam(tables[1].parameters(), lr=0.1)]
    for rows in ([[1, 2]], [[2, 3]], [[1, 1]]):
        for table, optimizer in zip(tables, optimizers, strict=True):
            table(torch.tensor(rows)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    ours, theirs_ = (table.weight.detach() for table in tables)
    torch.testing.assert_close(ours, theirs_)
    assert torch.equal(ours[[0, 4, 5, 6, 7, 8]], start[[0, 4, 5, 6, 7, 8]])
    assert not torch.equal(ours[1:4], start[1:4])
