"""One stage of a run: its sets, its Trainer, and what it comes to."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from .._recipe_checks import TAUGHT
from ..data import Rows, ScoredPair
from ..encoding import Encoder
from ..recipe import Recipe, Train
from .base import set_dropout
from .losses import make_loss, teacher_vectors
from .sampler import LengthGroupedBatchSampler, MixedBatchSampler
from .sets import TrainingSet

Vectors = NDArray[np.float32]
# step, loss, dev score: the last two where there is a new one
Tell = Callable[[int, float | None, float | None], None]
DEV = "dev"


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many steps a stage has and when things happen, as the published card counts them."""

    per_epoch: int
    steps: int
    warmup: int
    evaluation: int


def processes() -> tuple[int, int]:
    """Return ``(rank, number of processes)`` as torchrun says."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def schedule(sets: Sequence[TrainingSet], train: Train, *, seed: int) -> Schedule:
    """Count the steps of a stage.

    :raises InputError: if a set has too few rows for one batch of each process.
    """
    per_epoch = len(mixed_sampler(sets, train, seed=seed)) // processes()[1]
    steps = train.max_steps or per_epoch * train.epochs
    return Schedule(
        per_epoch,
        steps,
        math.ceil(steps * train.warmup_ratio),
        max(1, int(steps * train.eval_fraction)) if train.eval_fraction else steps,
    )


def mixed_sampler(sets: Sequence[TrainingSet], train: Train, *, seed: int) -> MixedBatchSampler:
    """Return the batches that a stage will see."""
    world = processes()[1]
    samplers = [
        LengthGroupedBatchSampler(item, seed=seed, by_length=train.group_by_length, world_size=world) for item in sets
    ]
    return MixedBatchSampler(samplers, mixing=train.mixing, seed=seed, world_size=world)


def use_bf16(precision: str) -> bool:
    """Return whether to compute in bfloat16: as asked, else where the hardware has it."""
    torch = require("torch", extra="train")
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())


def make_trainer(
    recipe: Recipe,
    train: Train,
    sets: Sequence[TrainingSet],
    model: Any,
    *,
    folder: Path,
    dev: Rows[ScoredPair] | None,
    teacher: Encoder | None,
    teacher_cache: Path | None = None,
) -> Any:
    """Return the Trainer of one stage; its seed is ``train.seed``.

    :param folder: for its checkpoints.
    :param teacher_cache: keeps the teacher's vectors.
    """
    from .trainer import StageTrainer

    set_dropout(model, train.dropout)
    plan = schedule(sets, train, seed=train.seed)
    world = processes()[1]
    taught = _taught(sets, model, teacher, teacher_cache)
    losses = {
        item.name: make_loss(item.loss, model, train, metric=recipe.teacher.metric, gather=world > 1) for item in sets
    }
    evaluator = None
    if dev is not None:
        st = require("sentence_transformers.sentence_transformer.evaluation", extra="train")
        evaluator = st.EmbeddingSimilarityEvaluator(
            [row.sentence1 for row in dev],
            [row.sentence2 for row in dev],
            [row.score for row in dev],
            batch_size=64,
            main_similarity="cosine",
            name=DEV,
            write_csv=False,
        )
    trainer = StageTrainer(
        model=model,
        args=_arguments(train, sets, plan, folder, evaluate=dev is not None),
        train_dataset={item.name: _dataset(item, taught.get(item.name)) for item in sets},
        loss=losses,
        evaluator=evaluator,
    )
    trainer.remove_callback(require("transformers", extra="train").PrinterCallback)  # it prints on stdout
    trainer.sets = {item.name: item for item in sets}
    trainer.values = train
    return trainer


def _arguments(train: Train, sets: Sequence[TrainingSet], plan: Schedule, folder: Path, *, evaluate: bool) -> Any:
    torch = require("torch", extra="train")
    args = require("sentence_transformers", extra="train").SentenceTransformerTrainingArguments
    cpu = not torch.cuda.is_available()
    arguments = args(
        output_dir=str(folder),
        num_train_epochs=train.epochs,
        max_steps=plan.steps,
        per_device_train_batch_size=train.batch_size,
        learning_rate=train.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=plan.warmup,
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        seed=train.seed,
        bf16=use_bf16(train.precision),
        use_cpu=cpu,
        ddp_backend="gloo" if cpu and processes()[1] > 1 else None,
        ddp_find_unused_parameters=False,
        dataloader_drop_last=processes()[1] > 1,
        dataloader_pin_memory=not cpu,
        prompts={item.name: item.prompts for item in sets if item.prompts} or None,
        eval_strategy="steps" if evaluate else "no",
        eval_steps=plan.evaluation,
        save_strategy="steps",
        save_steps=plan.evaluation,
        metric_for_best_model=f"{DEV}_spearman_cosine" if evaluate and train.keep_best else None,
        greater_is_better=True,
        logging_steps=max(1, min(50, plan.steps // 20)),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=[],
    )
    # One process is one GPU: the host would spread a batch over all of them, half as fast as torchrun.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _taught(sets: Sequence[TrainingSet], model: Any, teacher: Encoder | None, cache: Path | None) -> dict[str, Vectors]:
    """Return the teacher's vectors of the sets that learn from it: ``(rows, columns, width)``.

    For ``relations`` they are centred, all sets together: what all texts have in common says nothing about a pair,
    and what a set has in common sets it apart from the others.
    """
    out = {}
    for item in sets:
        if item.loss in TAUGHT:
            assert teacher is not None  # the recipe's check
            # How near texts are to each other is learned by any width; vectors themselves need the student's.
            width = model.get_embedding_dimension() if item.loss == "distill" else teacher.dim
            columns, prompt = list(item.columns.values()), item.spec.teacher_prompt
            out[item.name] = teacher_vectors(teacher, columns, width, prompt=prompt, cache=cache)
    related = [out[item.name] for item in sets if item.loss == "relations"]
    if related:
        centre = sum(vectors.sum(axis=(0, 1)) for vectors in related) / sum(v.shape[0] * v.shape[1] for v in related)
        for vectors in related:
            vectors -= centre
    return out


def _dataset(item: TrainingSet, taught: Vectors | None) -> Any:
    datasets = require("datasets", extra="train")
    columns: dict[str, Any] = {name: list(texts) for name, texts in item.columns.items()}
    if taught is None:
        if item.scores is not None:
            columns["score"] = item.scores
    elif item.loss == "ranks":
        columns["score"] = (taught[:, 0] * taught[:, 1]).sum(axis=1)
    else:
        columns["label"] = taught[:, 0] if len(item.columns) == 1 else taught
    # The name travels with the dataset: the Trainer asks for each set's batches by its dataset alone.
    return datasets.Dataset.from_dict(columns, info=datasets.DatasetInfo(dataset_name=item.name))
