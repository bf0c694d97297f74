from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ko_sentence_transformers import encode, load_model
from ko_sentence_transformers.errors import InputError, ModelError, OutputError
from ko_sentence_transformers.recipe import Recipe, load_recipe
from training_data import kornlu, sentences, tiny_bert

pytest.importorskip("sentence_transformers")
pytest.importorskip("accelerate")
# The host's own deprecations and multi-threading notes are not ours to fix.
pytestmark = pytest.mark.filterwarnings("default")

from ko_sentence_transformers.training import estimate, train  # noqa: E402

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kornlu(tmp_path_factory.mktemp("data") / "kornlu")


def recipe(base: Path, name: str = "ko-sbert-nli", *more: str) -> Recipe:
    # fp32: the same figures on every machine that runs the tests
    return load_recipe(name, [f"model.base={base}", "train.precision=fp32", "train.batch_size=8", *more])


def weights(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")


def same(one: Path, two: Path) -> bool:
    a, b = weights(one), weights(two)
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


KILLER = """
import os, signal, sys
from pathlib import Path
from ko_sentence_transformers.recipe import load_recipe
from ko_sentence_transformers.training import train
from ko_sentence_transformers.training.trainer import StageTrainer

recipe, data, output, when, step = sys.argv[1:]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

if when == "save":
    # after the weights of a checkpoint are written and before the rest of it is
    whole = StageTrainer._save_scaler
    def half(self, folder):
        if self.state.global_step == int(step):
            die()
        whole(self, folder)
    StageTrainer._save_scaler = half
def watch(now):
    if when == "step" and now.step == int(step):
        die()
train(load_recipe(recipe), data, output, resume=True, on_progress=watch)
"""


@pytest.mark.slow
def test_killed_runs_end_with_the_weights_of_an_uninterrupted_one(base: Path, data: Path, tmp_path: Path) -> None:
    chosen = recipe(
        base,
        "ko-sbert-multitask",
        "train.epochs=2",
        "train.mixing=proportional",
        "train.keep_best=false",
        "train.matryoshka_dims=[32, 16]",
        "data.sets.sts.batch_size=4",
    )
    file = tmp_path / "chosen.toml"
    file.write_text(chosen.to_toml(), encoding="utf-8")
    whole = train(load_recipe(file), data, tmp_path / "whole")
    steps = whole.figures.stages[0].steps
    assert steps == 2 * (15 + 15) and whole.figures.stages[0].evaluation_steps == 6
    output = tmp_path / "killed"
    work = tmp_path / "killed.train"
    # In the first epoch between two checkpoints, in the middle of a save, and in the second epoch.
    for when, step, last in (("step", 8, 6), ("save", 24, 18), ("step", 45, 42)):
        command = [sys.executable, "-c", KILLER, str(file), str(data), str(output), when, str(step)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert ended.returncode == -9, ended.stderr[-2000:]
        assert [p.name for p in (work / "seed-777" / "stage-0").glob("checkpoint-*")][-1:]
        assert (work / "seed-777" / "stage-0" / f"checkpoint-{last}" / "trainer_state.json").is_file()
    train(load_recipe(file), data, output, resume=True)
    assert same(output, tmp_path / "whole")
    assert not work.exists()


def test_what_cannot_be_taken_up_says_why(base: Path, data: Path, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(now: object) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        train(recipe(base, "ko-sbert-nli", "train.max_steps=4"), data, tmp_path / "out", on_progress=stop)
    assert not (tmp_path / "out").exists()
    with pytest.raises(OutputError, match="unfinished run; go on with --resume"):
        train(recipe(base, "ko-sbert-nli", "train.max_steps=4"), data, tmp_path / "out")
    with pytest.raises(InputError, match=r"train.learning_rate 2e-05, now it is 1e-05"):
        other = recipe(base, "ko-sbert-nli", "train.max_steps=4", "train.learning_rate=1e-5")
        train(other, data, tmp_path / "out", resume=True)
    train(recipe(base, "ko-sbert-nli", "train.max_steps=4"), data, tmp_path / "out", resume=True)
    with pytest.raises(OutputError, match="already exists"):
        train(recipe(base, "ko-sbert-nli", "train.max_steps=4"), data, tmp_path / "out", resume=True)


def test_full_disk_at_a_checkpoint_leaves_the_one_before(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ko_sentence_transformers.training.trainer import StageTrainer

    whole = StageTrainer._save_optimizer_and_scheduler

    def full(self: StageTrainer, folder: str) -> None:
        if self.state.global_step == 4:
            raise OSError(28, "No space left on device")
        whole(self, folder)

    chosen = recipe(base, "ko-sbert-nli", "train.max_steps=6", "train.eval_fraction=0.34")
    monkeypatch.setattr(StageTrainer, "_save_optimizer_and_scheduler", full)
    with pytest.raises(OutputError, match=r"checkpoint-4: No space left on device; .*--resume"):
        train(chosen, data, tmp_path / "out")
    stage = tmp_path / "out.train" / "seed-777" / "stage-0"
    assert [path.name for path in stage.iterdir() if path.name.startswith("checkpoint")] == ["checkpoint-2"]
    monkeypatch.undo()
    train(chosen, data, tmp_path / "out", resume=True)
    train(chosen, data, tmp_path / "whole")
    assert same(tmp_path / "out", tmp_path / "whole")


@pytest.mark.slow
def test_published_width_from_end_to_end(data: Path, tmp_path: Path) -> None:
    """768 wide, 20 steps, on the command line; loads in plain sentence-transformers and in ours."""
    from sentence_transformers import SentenceTransformer

    from ko_sentence_transformers.model import load_model

    base = tiny_bert(tmp_path / "wide", width=768)
    output = tmp_path / "model"
    command = [sys.executable, "-m", "ko_sentence_transformers", "train", "ko-sbert-nli", "--data", str(data)]
    command += ["--output", str(output), "--set", f"model.base={base}", "--set", "train.max_steps=20", "--json"]
    ended = subprocess.run([*command, "--set", "train.batch_size=4"], capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr[-2000:]
    report = json.loads(ended.stdout)
    assert report["stages"][0]["steps"] == 20 and report["after"]["test"]["n"] == 60
    texts = sentences(5, seed=3)
    model = SentenceTransformer(str(output), device="cpu")
    expected = model.encode(texts, normalize_embeddings=True)
    assert expected.shape == (5, 768) and model.max_seq_length == 75
    np.testing.assert_allclose(load_model(output).encode(texts), expected, atol=2e-6)
    names = {path.name for path in output.iterdir()}
    assert {"recipe.toml", "scores.json", "training.json", "golden_ids.json", "README.md"} <= names
    assert load_recipe(output / "recipe.toml").train.max_steps == 20
    assert json.loads((output / "scores.json").read_text())["before"]["test"].keys() == report["after"]["test"].keys()
    # The form that older versions and servers read.
    assert json.loads((output / "sentence_bert_config.json").read_text())["max_seq_length"] == 75
    assert json.loads((output / "1_Pooling" / "config.json").read_text())["pooling_mode_mean_tokens"] is True
    assert json.loads((output / "modules.json").read_text())[0]["type"] == "sentence_transformers.models.Transformer"


def test_stages_seeds_and_the_average_with_the_base(base: Path, data: Path, tmp_path: Path) -> None:
    """Every seed alone, averaged by hand, is what a recipe with all of them gives."""
    file = tmp_path / "two.toml"
    file.write_text(
        f"""
[model]
base = {json.dumps(str(base))}
prompts = {{ query = "query: ", document = "passage: " }}
[data]
dev = "KorSTS/sts-dev.tsv"
[data.sets.nli]
kind = "nli"
files = ["KorNLI/snli_1.0_train.ko.tsv"]
prompts = {{ anchor = "query: ", positive = "passage: " }}
limit = 24
[data.sets.sts]
kind = "sts"
files = ["KorSTS/sts-train.tsv"]
loss = "cosent"
[train]
batch_size = 8
precision = "fp32"
max_seq_length = 16
[[stages]]
name = "mixed"
[[stages]]
name = "scores"
sets = ["sts"]
epochs = 2
[soup]
share = 0.6
seeds = [1, 2]
""",
        encoding="utf-8",
    )
    both = train(load_recipe(file), data, tmp_path / "both")
    assert [(s.seed, s.name, s.steps) for s in both.figures.stages] == [
        (1, "mixed", 3 + 8), (1, "scores", 16), (2, "mixed", 3 + 8), (2, "scores", 16),
    ]  # fmt: skip
    parts = []
    for seed in (1, 2):
        train(load_recipe(file, [f"soup.seeds=[{seed}]", "soup.share=1.0"]), data, tmp_path / f"seed{seed}")
        parts.append(weights(tmp_path / f"seed{seed}"))
    start = weights(base)
    averaged = weights(tmp_path / "both")
    assert len(averaged) > 30
    for key, value in averaged.items():
        expected = 0.6 * (parts[0][key] + parts[1][key]) / 2 + 0.4 * start[key]
        np.testing.assert_allclose(value, expected, atol=1e-6, err_msg=key)
    settings = json.loads((tmp_path / "both" / "config_sentence_transformers.json").read_text())
    assert settings["prompts"]["query"] == "query: "


def test_seeds_may_share_their_first_stages(base: Path, data: Path, tmp_path: Path) -> None:
    """The second seed goes on from what the first seed's common stage left."""
    file = tmp_path / "shared.toml"
    file.write_text(
        f"""
[model]
base = {json.dumps(str(base))}
[data.sets.sts]
kind = "sts"
files = ["KorSTS/sts-train.tsv"]
[train]
loss = "cosent"
batch_size = 8
precision = "fp32"
[[stages]]
name = "first"
seed = 1
[[stages]]
name = "second"
[soup]
seeds = [1, 2]
common_stages = 1
""",
        encoding="utf-8",
    )
    both = train(load_recipe(file), data, tmp_path / "both")
    assert [(s.seed, s.name) for s in both.figures.stages] == [(1, "first"), (1, "second"), (2, "second")]
    alone = ["soup.common_stages=0", "stages.0.name=first"]
    train(load_recipe(file, ["soup.seeds=[1]", *alone]), data, tmp_path / "one")
    single = load_recipe(file, ["soup.seeds=[1]", *alone])
    train(replace(single, stages=single.stages[:1]), data, tmp_path / "first")
    second = replace(single, stages=single.stages[1:], model=replace(single.model, base=str(tmp_path / "first")))
    train(replace(second, soup=replace(single.soup, seeds=(2,))), data, tmp_path / "two")
    one, two, averaged = (weights(tmp_path / name) for name in ("one", "two", "both"))
    for key, value in averaged.items():
        np.testing.assert_allclose(value, (one[key] + two[key]) / 2, atol=1e-6, err_msg=key)
    train(load_recipe(file, ["soup.share=0.75"]), data, tmp_path / "shared")
    first = weights(tmp_path / "first")
    for key, value in weights(tmp_path / "shared").items():
        wanted = 0.75 * averaged[key] + 0.25 * first[key]
        np.testing.assert_allclose(value, wanted, atol=1e-6, err_msg=key)
    with pytest.raises(InputError, match=r"soup\.common_stages is 2; it must be 0 to 1"):
        load_recipe(file, ["soup.common_stages=2"])


def test_a_second_half_is_the_mean_vector_evened_out(base: Path, data: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    wide = recipe(base, "ko-sbert-sts", "model.dim=64", "model.normalize=true", "train.dropout=0", "train.max_steps=4")
    train(wide, data, tmp_path / "wide")
    model = SentenceTransformer(str(tmp_path / "wide"), device="cpu")
    texts = sentences(20, seed=4)
    vectors = model.encode(texts)
    pooled = SentenceTransformer(modules=[model[0], model[1]], device="cpu").encode(texts)
    assert vectors.shape == (20, 64)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    unit = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    first = vectors[:, :32] / np.linalg.norm(vectors[:, :32], axis=1, keepdims=True)
    np.testing.assert_allclose(first, unit, atol=1e-5)
    ours = encode(load_model(tmp_path / "wide", engine="torch"), texts)
    np.testing.assert_allclose(ours, vectors, atol=1e-5)
    narrow = recipe(tmp_path / "wide", "ko-sbert-sts", "model.dim=32", "train.max_steps=1")
    assert load_model(train(narrow, data, tmp_path / "narrow").folder, engine="torch").dim == 32
    with pytest.raises(ModelError, match=r"set model\.dim to 32 or 64"):
        train(recipe(base, "ko-sbert-sts", "model.dim=48"), data, tmp_path / "odd")


def test_whitening_evens_out_the_strength_of_directions() -> None:
    """The exponent is that of the eigenvalues of the second moments: sklearn's singular values say the same."""
    from sklearn.decomposition import TruncatedSVD

    from ko_sentence_transformers.training.whitening import EXPONENT, whitening

    draw = np.random.default_rng(3)
    vectors = (draw.normal(size=(500, 8)) * np.array([9, 5, 3, 2, 1, 1, 0.5, 0.2]) + 1).astype(np.float32)
    after = vectors @ whitening(vectors).T
    before = TruncatedSVD(7, algorithm="arpack").fit(vectors).singular_values_
    now = TruncatedSVD(7, algorithm="arpack").fit(after).singular_values_
    np.testing.assert_allclose(now / now[0], (before / before[0]) ** (1 - 2 * EXPONENT), rtol=1e-3)
    assert np.square(after).sum() == pytest.approx(np.square(vectors).sum(), rel=1e-4)


def test_every_shipped_loss_learns(base: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for path in (data / "KorSTS").iterdir():
        (tmp_path / "data" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "data" / "texts.txt").write_text("\n".join(sentences(64, seed=5)), encoding="utf-8")
    teacher = tmp_path / "teacher"
    train(recipe(base, "ko-sbert-sts", "train.max_steps=2"), tmp_path / "data", teacher)
    for name, more in (
        ("ko-sbert-sts-cosent", ()),
        ("ko-sbert-sts-angle", ("train.matryoshka_dims=[32, 8]",)),
        ("ko-sbert-simcse", ()),
        ("ko-sbert-distill", (f"teacher.model={teacher}", "model.keep_layers=[1]", "teacher.metric=mse")),
        ("ko-sbert-distill", (f"teacher.model={teacher}", "model.keep_layers=[0]", "train.matryoshka_dims=[32,8]")),
    ):
        number = len(list(tmp_path.glob("out*")))
        done = train(
            recipe(base, name, "train.max_steps=3", "train.keep_best=false", *more),
            tmp_path / "data",
            tmp_path / f"out{number}",
        )
        before, after = weights(base), weights(done.folder)
        moved = [key for key in after if not np.array_equal(before.get(key, after[key] + 1), after[key])]
        assert moved, name


def test_distillation_reaches_the_teacher(base: Path, data: Path, tmp_path: Path) -> None:
    from ko_sentence_transformers.training.losses import teacher_vectors

    class Teacher:
        dim = 4
        name = "fixed"

    rng = np.random.default_rng(0)
    table = rng.normal(size=(30, 4)).astype(np.float32)
    texts = sentences(30)
    place = {text: row for row, text in enumerate(texts)}

    def fake(model: object, rows: list[str]) -> np.ndarray:
        vectors = table[[place[row.removeprefix("p: ")] for row in rows]]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    import ko_sentence_transformers.training.losses as losses

    keep = losses.encode
    losses.encode = fake  # type: ignore[assignment]
    try:
        exact = teacher_vectors(Teacher(), [texts, texts[::-1]], 4, prompt="p: ")  # type: ignore[arg-type]
        narrow = teacher_vectors(Teacher(), [texts], 3)  # type: ignore[arg-type]
        with pytest.raises(ModelError, match="4 dimensions, the student 5"):
            teacher_vectors(Teacher(), [texts], 5)  # type: ignore[arg-type]
    finally:
        losses.encode = keep
    assert exact.shape == (30, 2, 4)
    np.testing.assert_allclose(exact[:, 0], fake(None, texts), atol=1e-6)
    np.testing.assert_allclose(exact[:, 1], exact[::-1, 0], atol=1e-6)
    # The best 3 of 4 directions are those of the singular value decomposition.
    unit = fake(None, texts)
    left = unit @ np.linalg.svd(unit, full_matrices=False)[2][:3].T
    expected = left / np.linalg.norm(left, axis=1, keepdims=True)
    np.testing.assert_allclose(narrow[:, 0] @ narrow[:, 0].T, expected @ expected.T, atol=1e-5)


def test_estimate_counts_what_a_run_does(base: Path, data: Path, tmp_path: Path) -> None:
    chosen = recipe(base, "ko-sbert-multitask", "train.epochs=2", "data.sets.sts.batch_size=4")
    found = estimate(chosen, data)
    done = train(chosen, data, tmp_path / "out")
    assert found.steps == done.figures.stages[0].steps == 2 * 2 * 15  # in turns, until the shorter ends
    assert found.tokens > 0 and found.seconds > 0 and found.bytes > 10**8
    assert 0 <= found.stages[0].padding < 0.5


def test_dry_run_and_errors_on_the_command_line(
    base: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from ko_sentence_transformers.cli import run

    command = ["train", "ko-sbert-nli", "--data", str(data), "--output", str(tmp_path / "out")]
    command += ["--set", f"model.base={base}", "--set", "train.batch_size=8"]
    assert run([*command, "--dry-run", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["steps"] == 15 and found["stages"][0]["warmup_steps"] == 2 and found["tokens"] > 1000
    assert run([*command, "--dry-run"]) == 0
    assert "steps   15 (warmup 2, evaluation each 1)" in capfd.readouterr().out
    assert not list(tmp_path.iterdir())
    for wrong, said in (
        (["--set", "train.learning_rat=1"], "did you mean train.learning_rate?"),
        (["--set", "data.dev=none.tsv"], "none.tsv: no such file"),
    ):
        assert run([*command, *wrong]) == 1
        printed = capfd.readouterr()
        assert said in printed.err and printed.out == "" and printed.err.count("ko-st:") == 1


def test_data_that_cannot_be_used_says_where(base: Path, data: Path, tmp_path: Path) -> None:
    broken = kornlu(tmp_path / "broken", premises=4)
    snli = broken / "KorNLI" / "snli_1.0_train.ko.tsv"

    def failing(match: str, error: type[Exception] = InputError) -> None:
        with pytest.raises(error, match=match):
            train(recipe(base), broken, tmp_path / "out")
        assert not (tmp_path / "out").exists() and not (tmp_path / "out.train").exists()

    text = snli.read_text(encoding="utf-8")
    snli.write_text(text.replace("neutral", "maybe", 1), encoding="utf-8")
    failing(r"snli_1.0_train.ko.tsv:3: unknown label 'maybe'")
    snli.write_text("", encoding="utf-8")
    failing("the file is empty")
    snli.write_text(text.replace("gold_label", "gold"), encoding="utf-8")
    failing("no column .* for label")
    snli.write_bytes(text.encode("cp949"))
    failing("CP949")
    only = text.replace("contradiction", "neutral")
    for name in ("snli_1.0_train.ko.tsv", "multinli.train.ko.tsv"):
        (broken / "KorNLI" / name).write_text(only, encoding="utf-8")
    failing("contradiction 0")
    snli.unlink()
    failing("snli_1.0_train.ko.tsv: no such file")
    scores = kornlu(tmp_path / "scores", premises=4) / "KorSTS" / "sts-train.tsv"
    scores.write_text(scores.read_text().replace("\t0\t", "\t0\t9", 1), encoding="utf-8")
    with pytest.raises(InputError, match="outside 0 to 5"):
        train(recipe(base, "ko-sbert-sts"), tmp_path / "scores", tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        train(recipe(base), tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(ModelError, match="no such folder and no shipped model"):
        train(recipe(Path("./nowhere")), data, tmp_path / "out")
    assert not (tmp_path / "out.train").exists()


def test_a_tokenizer_that_knows_nothing_stops_the_run(base: Path, data: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for path in (data / "KorSTS").iterdir():
        (foreign / path.name).write_text(path.read_text().replace("다", "냐").replace("는", "눈").replace("이", "위"))
    text = (foreign / "sts-train.tsv").read_text().replace("\t", "\0")
    table = str.maketrans("가나다라마바사아자차카타파하", "각낙닥락막박삭악작착칵탁팍학")
    (foreign / "sts-train.tsv").write_text(text.translate(table).replace("\0", "\t").replace("을", "얼"))
    with pytest.raises(ModelError, match="unknown to its tokenizer"):
        train(recipe(base, "ko-sbert-sts"), foreign, tmp_path / "out")


def test_old_weight_files_of_the_hub_are_fetched_only_when_asked(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    import torch

    from ko_sentence_transformers.recipe import Model
    from ko_sentence_transformers.training import base as module

    cached = tmp_path / "cached"
    cached.mkdir()
    for path in base.iterdir():
        if path.suffix == ".json":
            (cached / path.name).write_bytes(path.read_bytes())

    def fetch(name: str, revision: str | None, *, download: bool) -> Path:
        assert (name, revision) == ("someone/kobert", "abc")
        return cached

    def download(name: str, *, revision: str, allow_patterns: list[str]) -> str:
        assert (name, revision, allow_patterns) == ("someone/kobert", "abc", ["pytorch_model.bin"])
        state = {key: torch.from_numpy(value) for key, value in weights(base).items()}
        torch.save(state, cached / "pytorch_model.bin")
        return str(cached)

    monkeypatch.setattr(module, "fetch_folder", fetch)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(ModelError, match="not on this disk; allow the download"):
        module.load_base(Model(base="someone/kobert@abc"), tmp_path)
    model = module.load_base(Model(base="someone/kobert@abc"), tmp_path, download=True)
    name = "encoder.layer.0.attention.self.query.weight"
    np.testing.assert_array_equal(model[0].auto_model.state_dict()[name].numpy(), weights(base)[name])


DISTRIBUTED = """
import sys
from pathlib import Path

import torch
from ko_sentence_transformers.recipe import load_recipe
from ko_sentence_transformers.training import train
from ko_sentence_transformers.training.base import load_base
from ko_sentence_transformers.training.losses import make_loss

recipe, data, output, *texts = sys.argv[1:]
recipe = load_recipe(recipe)
train(recipe, data, output)
# The mean of the two processes' losses is the loss of both batches in one: the negatives come from both.
rank = torch.distributed.get_rank()
model = load_base(recipe.model, Path(data)).eval()
half = len(texts) // 4
mine = [texts[:len(texts) // 2][rank * half:][:half], texts[len(texts) // 2:][rank * half:][:half]]
with torch.no_grad():
    part = make_loss("mnrl", model, recipe.train, gather=True)([model.preprocess(t) for t in mine], None)
    parts = [None, None]
    torch.distributed.all_gather_object(parts, part.item())
    both = [texts[:len(texts) // 2], texts[len(texts) // 2:]]
    whole = make_loss("mnrl", model, recipe.train)([model.preprocess(t) for t in both], None)
assert abs(sum(parts) / 2 - whole.item()) < 1e-4, (parts, whole)
alone = make_loss("mnrl", model, recipe.train)([model.preprocess(t) for t in mine], None)
assert abs(alone.item() - part.item()) > 1e-3
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_share_their_negatives(base: Path, data: Path, tmp_path: Path) -> None:
    more = ("train.max_steps=3", "train.mixing=proportional", "train.batch_size=4", "data.sets.sts.batch_size=2")
    more += ("train.matryoshka_dims=[32, 16]",)
    file = tmp_path / "chosen.toml"
    file.write_text(recipe(base, "ko-sbert-multitask", *more).to_toml(), encoding="utf-8")
    (tmp_path / "run.py").write_text(DISTRIBUTED, encoding="utf-8")
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"),
            *(str(tmp_path / "run.py"), str(file), str(data), str(tmp_path / "out"), *sentences(16)),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    report = json.loads((tmp_path / "out" / "training.json").read_text())
    assert report["processes"] == 2 and report["stages"][0]["steps"] == 3
    name = "encoder.layer.0.attention.self.query.weight"
    assert not np.array_equal(weights(base)[name], weights(tmp_path / "out")[name])
