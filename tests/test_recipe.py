from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ko_sentence_transformers._recipe_checks import LOSSES
from ko_sentence_transformers.cli import run
from ko_sentence_transformers.errors import InputError, OutputError
from ko_sentence_transformers.recipe import (
    Data,
    DataSet,
    Model,
    Soup,
    Train,
    load_recipe,
    recipe_names,
    recipe_text,
)
from ko_sentence_transformers.training.sampler import LengthGroupedBatchSampler
from ko_sentence_transformers.training.sets import TrainingSet, load_sets
from training_data import kornlu

# What the published card of ko-sbert-nli says, number for number.
PUBLISHED = {
    "length": 8886,
    "batch_size": 64,
    "loss": {"scale": 20.0, "similarity_fct": "cos_sim"},
    "fit": {
        "epochs": 1,
        "evaluation_steps": 888,
        "max_grad_norm": 1,
        "optimizer_params": {"lr": 2e-05},
        "scheduler": "WarmupLinear",
        "steps_per_epoch": None,
        "warmup_steps": 889,
        "weight_decay": 0.01,
    },
    "max_seq_length": 75,
    "pooling": "mean",
}
SHAPE = {
    "model": {"base", "max_seq_length", "pooling"},
    "train": {
        "loss", "scale", "batch_size", "epochs", "max_steps", "learning_rate", "warmup_ratio", "weight_decay",
        "max_grad_norm", "eval_fraction", "seed",
    },
}  # fmt: skip


def test_published_recipe_is_the_published_card() -> None:
    recipe = load_recipe("ko-sbert-nli")
    train, fit = recipe.train, PUBLISHED["fit"]
    assert isinstance(fit, dict)
    assert (recipe.model.max_seq_length, recipe.model.pooling) == (PUBLISHED["max_seq_length"], PUBLISHED["pooling"])
    assert (train.loss, {"scale": train.scale, "similarity_fct": "cos_sim"}) == ("mnrl", PUBLISHED["loss"])
    assert train.batch_size == PUBLISHED["batch_size"]
    assert train.epochs == fit["epochs"] and train.learning_rate == fit["optimizer_params"]["lr"]
    assert (train.weight_decay, train.max_grad_norm) == (fit["weight_decay"], fit["max_grad_norm"])
    # The published script took a tenth: rounded up for the warmup, down for the evaluation.
    assert -(-PUBLISHED["length"] * train.warmup_ratio // 1) == fit["warmup_steps"]  # type: ignore[operator]
    assert int(PUBLISHED["length"] * train.eval_fraction) == fit["evaluation_steps"]  # type: ignore[call-overload]
    assert recipe.data.dev == "KorSTS/sts-dev.tsv" and train.keep_best and not train.max_steps
    assert recipe.data.sets["nli"].files == ("KorNLI/snli_1.0_train.ko.tsv", "KorNLI/multinli.train.ko.tsv")


def test_every_recipe_resolves_and_reads_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["recipes", "--json"]) == 0
    listed = [row["name"] for row in json.loads(capfd.readouterr().out)["recipes"]]
    assert listed == recipe_names() and {"ko-sbert-nli", "ko-sbert-sts", "ko-sbert-multitask"} <= set(listed)
    losses = set()
    for name in listed:
        assert run(["recipes", "show", name, "--json"]) == 0
        shown = json.loads(capfd.readouterr().out)
        for table, keys in SHAPE.items():
            assert keys <= shown[table].keys()
        recipe = load_recipe(name)
        file = tmp_path / f"{name}.toml"
        file.write_text(recipe.to_toml(), encoding="utf-8")
        assert load_recipe(file) == recipe
        losses |= {recipe.loss_of(item, stage.train) for stage in recipe.runs for item in stage.sets}
    assert losses == set(LOSSES)


def test_files_hold_only_what_differs_with_its_reason() -> None:
    defaults = {"model": Model(), "train": Train(), "data": Data(), "soup": Soup()}
    for name in recipe_names():
        text = recipe_text(name)
        table = tomllib.loads(text)
        for key, values in table.items():
            parent = table.get("extends")
            low = load_recipe(parent) if parent else None
            for field, value in values.items() if key in defaults else ():
                if (key, field) in (("data", "sets"), ("model", "base")):
                    continue
                default = getattr(getattr(low, key) if low else defaults[key], field)
                written = tuple(value) if isinstance(value, list) else value
                assert written != default or field == "loss", f"{name}: {key}.{field} is the default"
        numbers = [line for line in text.splitlines() if " = " in line and line.split(" = ")[1][0].isdigit()]
        bare = [line for line in numbers if "#" not in line]
        assert len(bare) <= len(numbers) // 2, f"{name}: numbers without a reason: {bare}"
    assert DataSet().loss == ""


def test_wrong_keys_and_values_name_the_right_ones() -> None:
    for override, said in (
        ("train.learning_rat=1e-5", "unknown key train.learning_rat; did you mean train.learning_rate?"),
        ("trian.seed=1", "did you mean train?"),
        ("data.sets.nli.kinds=x", "did you mean data.sets.nli.kind?"),
        ("learning_rate=1", "did you mean train.learning_rate?"),
        ("train.batch_size=many", "train.batch_size is 'many'; it must be a whole number"),
        ("train.epochs=true", "it must be a whole number"),
        ("train.learning_rate=3", "train.learning_rate is 3.0; it must be 0 to 1"),
        ("train.loss=cosine", "loss 'cosine' cannot learn from set 'nli' of kind 'nli'; set data.sets.nli.loss to"),
        ("train.loss=mnlr", "it must be one of mnrl"),
        ("data.sets.nli.prompts.question=q", "data.sets.nli.prompts is 'question'"),
        ("data.sets.nli.loss=distill", "teacher.model is empty"),
        ("soup.share=0", "soup.share is 0.0"),
        ("train.seed", "is not key=value"),
    ):
        with pytest.raises(InputError, match=r"^recipe ko-sbert-nli: ") as caught:
            load_recipe("ko-sbert-nli", [override])
        assert said in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"no recipe 'ko-sbert-nil'; there are: ko-sbert-nli"):
        load_recipe("ko-sbert-nil")
    with pytest.raises(InputError, match=r"stages\.1\.epochs"):
        load_recipe("ko-sbert-small", ["stages.1.epohcs=2"])
    assert load_recipe("ko-sbert-small", ["stages.1.epochs=7"]).runs[1].train.epochs == 7


def test_own_files_extend_each_other(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "ko-sbert-nli"\n[train]\nseed = 3\n', encoding="utf-8")
    (tmp_path / "again.toml").write_text('extends = "mine.toml"\n[train]\nepochs = 2\n', encoding="utf-8")
    recipe = load_recipe(tmp_path / "again.toml", ["train.learning_rate=3e-5"])
    assert (recipe.name, recipe.train.seed, recipe.train.epochs) == ("again", 3, 2)
    assert (recipe.train.learning_rate, recipe.train.batch_size) == (3e-5, 64)
    (tmp_path / "mine.toml").write_text('extends = "again.toml"\n', encoding="utf-8")
    with pytest.raises(InputError, match="circle"):
        load_recipe(tmp_path / "again.toml")
    (tmp_path / "mine.toml").write_text("epochs = = 2", encoding="utf-8")
    with pytest.raises(InputError, match="not TOML"):
        load_recipe(tmp_path / "mine.toml")
    with pytest.raises(InputError, match="No such file"):
        load_recipe(tmp_path / "none.toml")


def test_copy_writes_the_file_with_its_reasons(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    assert run(["recipes", "copy", "ko-sbert-nli", str(file)]) == 0
    assert file.read_text(encoding="utf-8") == recipe_text("ko-sbert-nli")
    assert load_recipe(file).train == load_recipe("ko-sbert-nli").train
    assert run(["recipes", "copy", "ko-sbert-nli", str(file)]) == 1
    assert "already exists" in capfd.readouterr().err
    with pytest.raises(OutputError):
        from ko_sentence_transformers.recipe import copy_recipe

        copy_recipe("ko-sbert-nli", file)


ROWS = """
import sys
from pathlib import Path
from ko_sentence_transformers.recipe import load_recipe
from ko_sentence_transformers.training.sampler import LengthGroupedBatchSampler
from ko_sentence_transformers.training.sets import load_sets
recipe = load_recipe("ko-sbert-nli", ["train.batch_size=8"])
[item] = load_sets(recipe, recipe.runs[0], Path(sys.argv[1]), seed=1)
print(hash(str(item.columns)) if 0 else item.columns, list(LengthGroupedBatchSampler(item, seed=1)))
"""


def test_rows_and_batches_do_not_hang_on_the_hash_seed(tmp_path: Path) -> None:
    kornlu(tmp_path / "data", premises=20)
    seen = set()
    for seed in ("0", "1", "42"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", ROWS, str(tmp_path / "data")]
        seen.add(subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout)
    assert len(seen) == 1


def kornli_of_real_size(folder: Path, complete: int) -> None:
    """Write both training files with their real row counts, of which ``complete`` sentences give triplets."""
    (folder / "KorNLI").mkdir(parents=True)
    made = 0
    for name, count in (("snli_1.0_train.ko.tsv", 550_152), ("multinli.train.ko.tsv", 392_702)):
        rows = ["sentence1\tsentence2\tgold_label"]
        number = 0
        while len(rows) <= count:
            # A premise with all three labels is complete; once there are enough, a premise has one label only.
            labels = ("entailment", "neutral", "contradiction") if made < complete else ("neutral",)
            if len(labels) == 3 and count - len(rows) + 1 < 3:
                labels = ("neutral",)
            made += len(labels) == 3
            rows += [f"{name[0]}전제 {number}\t{name[0]}가설 {number} {label}\t{label}" for label in labels]
            number += 1
        assert len(rows) == count + 1
        (folder / "KorNLI" / name).write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.mark.slow
def test_real_row_counts_give_the_published_steps(tmp_path: Path) -> None:
    """8,886 batches of 64 are 568,704 to 568,767 triplets: two for each of 284,352 to 284,383 sentences."""
    kornli_of_real_size(tmp_path, complete=284_352)
    recipe = load_recipe("ko-sbert-nli")
    [item] = load_sets(recipe, recipe.runs[0], tmp_path, seed=recipe.train.seed)
    assert [report.kept for report in item.reports] == [550_152, 392_702]
    assert len(item) == 2 * 284_352 == 64 * PUBLISHED["length"]  # type: ignore[operator]
    batches = LengthGroupedBatchSampler(item, seed=recipe.train.seed)
    assert len(batches) == PUBLISHED["length"]
    seen = list(batches)
    assert len(seen) == 8886 and all(len(batch) == 64 for batch in seen)
    for batch in seen[::100]:
        texts = [number for row in batch for number in item.keys[row]]
        assert len(texts) == len(set(texts))


def test_steps_follow_from_the_sentences_not_from_the_rows() -> None:
    sizes = []
    for rows in (568_703, 568_704, 568_767, 568_768):
        item = TrainingSet("nli", DataSet(), "mnrl", 64, {"anchor": ("가",) * rows}, None, ())
        sizes.append(len(LengthGroupedBatchSampler(item, seed=0)))
    assert sizes == [8885, 8886, 8886, 8887]
