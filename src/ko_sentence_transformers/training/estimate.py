"""What a run will take: steps and tokens counted, time and memory measured on a few batches."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._extras import require
from ..recipe import Recipe, Stage
from .base import has_network, load_base, set_dropout, set_length
from .losses import make_loss
from .sets import TrainingSet, load_sets
from .stage import mixed_sampler, processes, schedule, use_bf16
from .static import make_static

# Batches whose tokens are counted, and batches that are really run.
_COUNTED, _RUN = 40, 3


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """One stage: ``tokens`` as the network sees them (with padding), ``seconds`` from a few real steps."""

    name: str
    rows: dict[str, int]
    steps: int
    warmup_steps: int
    evaluation_steps: int
    tokens: int
    padding: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A whole run over all its seeds; ``bytes`` is the peak memory of the process or the GPU."""

    steps: int
    tokens: int
    seconds: float
    bytes: int
    device: str
    precision: str
    stages: tuple[StageEstimate, ...]


def estimate(recipe: Recipe, data: str | Path, *, download: bool = False) -> Estimate:
    """Estimate ``recipe`` on ``data``; nothing is trained and nothing written.

    Steps are exact. Tokens come from the tokenizer on a sample of the batches, time from three real steps of
    each stage, memory from its longest batch plus the optimizer.

    :raises InputError: for data or a recipe that cannot be used.
    """
    torch = require("torch", extra="train")
    folder = Path(data)
    sets = [load_sets(recipe, stage, folder, seed=recipe.seeds[0]) for stage in recipe.runs]
    cuda = torch.cuda.is_available()
    model = load_base(recipe.model, folder, download=download)
    if recipe.model.static_dim and has_network(model):  # what is in the table takes no time
        shape = model.tokenizer.backend_tokenizer.get_vocab_size(), recipe.model.static_dim
        table = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        model = make_static(model, table, recipe.model.prompts)
    model.to("cuda" if cuda else "cpu")
    stages = tuple(_stage(recipe, stage, items, model) for stage, items in zip(recipe.runs, sets, strict=True))
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    # Adam's two moments come with the first update, which is not run here; a run also keeps the base and the
    # result of each seed in main memory.
    peak = torch.cuda.max_memory_allocated() + 2 * weights if cuda else _resident() + 4 * weights
    times = [recipe.times(number) for number in range(len(stages))]
    return Estimate(
        sum(n * stage.steps for n, stage in zip(times, stages, strict=True)),
        sum(n * stage.tokens for n, stage in zip(times, stages, strict=True)),
        round(sum(n * stage.seconds for n, stage in zip(times, stages, strict=True)), 1),
        int(peak),
        torch.cuda.get_device_name() if cuda else "cpu",
        "bf16" if use_bf16(recipe.train.precision) else "fp32",
        stages,
    )


def _stage(recipe: Recipe, stage: Stage, sets: Sequence[TrainingSet], model: Any) -> StageEstimate:
    train, seed = stage.train, recipe.seeds[0]
    plan = schedule(sets, train, seed=seed)
    set_length(model, train.max_seq_length or recipe.model.max_seq_length)
    batches = list(mixed_sampler(sets, train, seed=seed))
    chosen = random.Random(seed).sample(batches, min(_COUNTED, len(batches)))
    counted = [(_features(model, sets, batch), batch) for batch in chosen]
    padded = [sum(f["input_ids"].numel() for f in features) for (_, features), _ in counted]
    real = [sum(_tokens(f) for f in features) for (_, features), _ in counted]
    # A short one, one of the middle and the longest: the longest also shows the memory.
    order = sorted(range(len(counted)), key=lambda i: padded[i])
    run = sorted({order[0], order[len(order) // 2], order[-1]})[:_RUN]
    (first, features), batch = counted[run[0]]
    _timed(recipe, train, model, first, features, batch)  # the first step of a process is slower
    seconds = tokens = 0.0
    for i in run:
        (item, features), batch = counted[i]
        seconds += _timed(recipe, train, model, item, features, batch)
        tokens += padded[i]
    world = processes()[1]
    total = int(sum(padded) / len(padded) * plan.steps * world)
    return StageEstimate(
        stage.name,
        {item.name: len(item) for item in sets},
        plan.steps,
        plan.warmup,
        plan.evaluation,
        total,
        round(1 - sum(real) / sum(padded), 3),
        round(total / world * seconds / tokens, 1),
    )


def _features(model: Any, sets: Sequence[TrainingSet], batch: Sequence[int]) -> tuple[TrainingSet, list[Any]]:
    """Tokenize one batch; its indices count through the sets one behind the other."""
    rows = list(batch)
    for item in sets:
        if rows[0] < len(item):
            break
        rows = [row - len(item) for row in rows]
    prompts = item.prompts
    return item, [
        model.preprocess([texts[row] for row in rows], prompt=prompts.get(column))
        for column, texts in item.columns.items()
    ]


def _tokens(features: Mapping[str, Any]) -> int:
    """Count the tokens that are no padding; a static model has none."""
    mask = features.get("attention_mask")
    return int(features["input_ids"].numel() if mask is None else mask.sum())


def _timed(
    recipe: Recipe, train: Any, model: Any, item: TrainingSet, features: list[Any], batch: Sequence[int]
) -> float:
    """Run one batch forward and backward and return its seconds."""
    torch = require("torch", extra="train")
    device = next(model.parameters()).device
    loss = make_loss(item.loss, model, train, metric=recipe.teacher.metric)
    width = model.get_embedding_dimension()
    labels = torch.linspace(0, 1, len(batch)) if item.scores is not None or item.loss == "ranks" else None
    if item.loss in ("distill", "relations"):
        labels = torch.ones(len(batch), len(features), width) if len(features) > 1 else torch.ones(len(batch), width)
    features = [
        {key: value.to(device) if hasattr(value, "to") else value for key, value in f.items()} for f in features
    ]
    set_dropout(model, train.dropout)
    model.train()
    started = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=use_bf16(train.precision)):
        value = loss(features, labels if labels is None else labels.to(device))
    value.backward()
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    model.zero_grad()
    return seconds


def _resident() -> int:
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
