"""The benchmark with tiny models: what it reports, not how fast this machine is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ko_sentence_transformers import benchmarking
from ko_sentence_transformers.benchmarking import BenchmarkRow, benchmark, read_quality
from ko_sentence_transformers.cli import run
from ko_sentence_transformers.errors import InputError, MissingExtraError, ModelError
from ko_sentence_transformers.export.sentences import korean_sentences
from ko_sentence_transformers.pareto import pareto_front, plot_pareto

TEXTS = korean_sentences(24)
ROW = BenchmarkRow("가", "openvino", 100.0, 2.0, 5.0, 5.0, 3.0, 200.0, 0.5, 80.0)


def rows(*pairs: tuple[float, float | None]) -> list[BenchmarkRow]:
    return [replace(ROW, model=str(i), sentences_per_second=s, quality=q) for i, (s, q) in enumerate(pairs)]


def test_against_sentence_transformers(tiny_model_folder) -> None:
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("openvino")
    done = benchmark([str(tiny_model_folder)], texts=TEXTS, threads=1, rounds=2)
    assert [row.engine for row in done] == ["openvino", "sentence-transformers"]
    ours, theirs = done
    assert theirs.ratio == theirs.latency_ratio == 1.0
    assert ours.ratio == pytest.approx(ours.sentences_per_second / theirs.sentences_per_second, rel=0.5)
    assert ours.ratio_to_first == ours.ratio
    assert all(row.latency_ms_p50 > 0 and row.sentences_per_second > 0 for row in done)
    # Each in its own process: ours never loads torch.
    assert ours.memory_mb is not None
    assert theirs.memory_mb is not None
    assert 10 < ours.memory_mb < theirs.memory_mb


def test_command(tiny_model_folder, tmp_path, capsys) -> None:
    pytest.importorskip("openvino")
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    arguments = ["benchmark", "--model", str(tiny_model_folder), "--against", "none", "--rounds", "1"]
    assert run([*arguments, "--texts", str(tmp_path / "texts.txt"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    wanted = {"model", "engine", "sentences_per_second", "latency_ms_p50", "ratio", "memory_mb"}
    assert wanted <= set(row)
    assert row["ratio"] is None
    assert run([*arguments, "--plot", str(tmp_path / "plot.txt")]) == 1


def test_fastembed_runs_the_same_weights(tiny_model_folder) -> None:
    pytest.importorskip("fastembed")
    pytest.importorskip("openvino")
    done = benchmark([str(tiny_model_folder)], against=["fastembed"], texts=TEXTS, threads=1, rounds=1)
    assert [row.engine for row in done] == ["openvino", "fastembed"]


def test_a_static_model(tmp_path) -> None:
    pytest.importorskip("model2vec")
    folder = static_model(tmp_path / "static")
    done = benchmark([str(folder)], against=["model2vec"], texts=TEXTS, rounds=1)
    assert [row.engine for row in done] == ["numpy", "model2vec"]
    with pytest.raises(InputError, match="fastembed runs models that are not static"):
        benchmark([str(folder)], against=["fastembed"], texts=TEXTS)


def static_model(folder: Path) -> Path:
    import numpy as np
    from safetensors.numpy import save_file

    from conftest import write_tokenizer

    inner = folder / "0_StaticEmbedding"
    inner.mkdir(parents=True)
    size = write_tokenizer(inner)
    table = np.random.default_rng(0).normal(size=(size, 16)).astype(np.float32)
    save_file({"embedding.weight": table}, inner / "model.safetensors")
    kind = "sentence_transformers.models.StaticEmbedding"
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": inner.name, "type": kind}]))
    return folder


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"against": ["gensim"]}, "'gensim' is unknown"),
        ({"rounds": 0}, "at least 1"),
        ({"texts": ["", " "]}, "no text"),
    ],
)
def test_bad_requests(tiny_model_folder, wrong, message) -> None:
    with pytest.raises(InputError, match=message):
        benchmark([str(tiny_model_folder)], **{"against": [], **wrong})
    with pytest.raises(InputError, match="no model"):
        benchmark([])


def test_a_missing_library_is_named(tiny_model_folder, monkeypatch) -> None:
    monkeypatch.setattr(benchmarking, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install fastembed"):
        benchmark([str(tiny_model_folder)], against=["fastembed"])


def test_a_side_that_stops_says_why(tiny_model_folder) -> None:
    with pytest.raises(ModelError, match=r"ours stopped: .*'tflite' is unknown"):
        benchmark([str(tiny_model_folder)], against=[], engine="tflite", texts=TEXTS)


@pytest.mark.parametrize(
    ("document", "quality"),
    [
        ({"korsts": {"cosine_spearman": 0.8123, "n": 1376}}, 81.23),
        ({"before": {"test": {"cosine_spearman": 70.0}}, "after": {"dev": {"cosine_spearman": 85.0}}}, None),
        ({"before": {"test": {"cosine_spearman": 70.0}}, "after": {"test": {"cosine_spearman": 81.0}}}, 81.0),
        ({"korsts": {"dev": {"cosine_spearman": 85.0}, "test": {"cosine_spearman": 82.5}}}, 82.5),
        ({}, None),
    ],
)
def test_quality_is_read_from_the_scores(tmp_path, document, quality) -> None:
    (tmp_path / "scores.json").write_text(json.dumps(document))
    assert read_quality(tmp_path) == quality


def test_pareto_front() -> None:
    done = rows((10, 85), (100, 80), (90, 79), (1000, 70), (5, 84), (2000, None))
    assert [row.model for row in pareto_front(done)] == ["0", "1", "3"]
    assert pareto_front(rows((5, None))) == []


def test_plot(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    path = plot_pareto(rows((10, 85), (100, 80), (90, 79)), tmp_path / "pareto.svg")
    assert path.read_text().startswith("<?xml")
    with pytest.raises(InputError, match=r"no scores\.json"):
        plot_pareto(rows((1, None)), tmp_path / "none.png")
