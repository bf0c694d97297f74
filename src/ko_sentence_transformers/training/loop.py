"""A whole run: base, stages, seeds, average, model folder. Killed at any step, it is taken up where it was.

While it runs everything lies in ``OUTPUT.train``; the output folder appears whole at the end.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from .._extras import require
from .._files import atomic_file, write_json
from .._recipe_checks import TAUGHT
from ..data import Rows, ScoredPair
from ..encoding import Encoder
from ..kobert import check_tokenizer
from ..recipe import Recipe, Stage
from ..run_report import RunReport, Scores, SetReport, StageReport, correlations
from .base import callable_tokenizer, has_network, load_base, set_length
from .losses import load_teacher
from .output import write_model
from .sets import TrainingSet, load_sets, read_scored
from .stage import make_trainer, processes, schedule, use_bf16
from .static import make_static, start_table
from .whitening import add_whitened_half
from .workspace import Workspace

logger = logging.getLogger(__name__)

# Texts of each set that the tokenizer is tried on.
_TRIED = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: steps over all seeds and stages, the last loss and dev score (Spearman x 100)."""

    seed: int
    stage: str
    step: int
    steps: int
    loss: float | None
    dev_score: float | None
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The model folder that came out, and the figures of the run."""

    folder: Path
    figures: RunReport


def train(
    recipe: Recipe,
    data: str | Path,
    output: str | Path,
    *,
    resume: bool = False,
    download: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Train ``recipe`` on the files of ``data`` and write a model folder that every reader loads.

    Under ``torchrun`` every process calls it; batches are per process and negatives come from all of them.

    :param output: a new folder; it appears when the run is done.
    :param resume: take up the unfinished run of this output; the weights are those of an uninterrupted one.
    :param download: whether a hub model may be fetched.
    :param on_progress: called after each step and each evaluation.
    :raises InputError: for data or a recipe that cannot be used, or a run that ``resume`` does not fit.
    :raises ModelError: for a base that cannot be loaded or whose tokenizer does not know the texts.
    :raises OutputError: if the output is there or cannot be written; the checkpoints so far are intact.
    """
    data, output = Path(data), Path(output)
    sets, scored = _read(recipe, data)
    files = chain(*(item.reports for item in chain(*sets)), *(rows.reports for rows in scored.values()))
    reports = {report.path: report for report in files}
    require("transformers", extra="train").set_seed(recipe.seeds[0])
    model = load_base(recipe.model, data, download=download)
    for item in chain(*sets):
        check_tokenizer(callable_tokenizer(model), list(islice(item.texts(), _TRIED)), name=recipe.model.base)
    first = processes()[0] == 0
    work = Workspace(output.with_name(f"{output.name}.train"))
    if first:
        started = {Path(path).name: report.sha256 for path, report in reports.items()}
        started["number of processes"] = str(processes()[1])
        work = Workspace.open(output, recipe, started, resume=resume)
    teacher = _teacher(recipe, sets, download)
    if recipe.model.static_dim and has_network(model):
        assert teacher is not None  # the recipe's check
        table = start_table(model, teacher, _texts(sets), recipe.model.static_dim, cache=work.teacher)
        model = make_static(model, table, recipe.model.prompts)
    if require("torch", extra="train").cuda.is_available():
        model.to(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
    run = _Run(recipe, data, work, sets, scored.get("dev"), teacher, on_progress)
    before = work.remembered("before", lambda: _measured(model, scored)) if first else {}
    stages = run.all(model)
    if recipe.model.dim > model.get_embedding_dimension():
        add_whitened_half(model, _texts(sets), seed=recipe.seeds[0])
    set_length(model, recipe.model.max_seq_length)
    after = _measured(model, scored) if first else {}
    figures = RunReport(before, after, stages, tuple(reports.values()), *_machine(recipe), processes()[1])
    if first:
        write_model(output, model, recipe, figures)
        work.remove()
    return TrainingResult(output, figures)


def _texts(sets: list[list[TrainingSet]]) -> list[str]:
    """Return every different text of the training sets."""
    return list(dict.fromkeys(text for item in chain(*sets) for text in item.texts()))


def _read(recipe: Recipe, data: Path) -> tuple[list[list[TrainingSet]], dict[str, Rows[ScoredPair]]]:
    """Read everything a recipe names before anything heavy starts: the sets of each stage, dev and test."""
    sets = [load_sets(recipe, stage, data, seed=recipe.seeds[0]) for stage in recipe.runs]
    found = {name: read_scored(getattr(recipe.data, name), data) for name in ("dev", "test")}
    return sets, {name: rows for name, rows in found.items() if rows is not None}


class _Run:
    """The stages of all seeds, with what they share."""

    def __init__(
        self,
        recipe: Recipe,
        data: Path,
        work: Workspace,
        sets: list[list[TrainingSet]],
        dev: Rows[ScoredPair] | None,
        teacher: Encoder | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.recipe, self.data, self.work = recipe, data, work
        self.sets, self.dev, self.teacher, self.on_progress = sets, dev, teacher, on_progress
        self.steps = [
            schedule(items, stage.train, seed=recipe.seeds[0]).steps
            for items, stage in zip(sets, recipe.runs, strict=True)
        ]
        self.total = sum(recipe.times(number) * steps for number, steps in enumerate(self.steps))
        self.first: tuple[float, int] | None = None  # time and step at which this process began to step

    def all(self, model: Any) -> tuple[StageReport, ...]:
        """Run every seed and leave the average in ``model``."""
        start = _copy(model)
        results: list[dict[str, Any]] = []
        figures: list[StageReport] = []
        offset = 0
        for seed in self.recipe.seeds:
            model.load_state_dict(start)
            for index, stage in enumerate(self.recipe.runs):
                common = index < self.recipe.soup.common_stages
                if results and common:
                    continue
                figures.append(self.stage(model, stage, index, seed, offset))
                offset += self.steps[index]
                if common:
                    start = _copy(model)
            results.append(_copy(model))
        model.load_state_dict(averaged(results, start, self.recipe.soup.share))
        return tuple(figures)

    def stage(self, model: Any, stage: Stage, index: int, seed: int, offset: int) -> StageReport:
        """Run one stage, or take over its weights where it is done."""
        torch = require("torch", extra="train")
        done, notes = self.work.weights(seed, index), self.work.stage(seed, index).with_suffix(".json")
        if done.is_file():
            model.load_state_dict(torch.load(done, map_location="cpu", weights_only=True))
            return _figures(json.loads(notes.read_text(encoding="utf-8")))
        train = replace(stage.train, seed=seed)
        sets = self.sets[index]
        if seed != self.recipe.seeds[0]:
            sets = load_sets(self.recipe, stage, self.data, seed=seed)
        set_length(model, train.max_seq_length or self.recipe.model.max_seq_length)
        figures = self._trained(model, stage.name, train, sets, index, offset)
        if processes()[0] == 0:
            write_json(notes, asdict(figures))
            with atomic_file(done) as stream:
                torch.save(model.state_dict(), stream)
            shutil.rmtree(self.work.stage(seed, index), ignore_errors=True)
        return figures

    def _trained(
        self, model: Any, name: str, train: Any, sets: Sequence[TrainingSet], index: int, offset: int
    ) -> StageReport:
        from .trainer import Watcher, checkpoints, load_weights

        folder = self.work.stage(train.seed, index)
        trainer = make_trainer(
            self.recipe,
            train,
            sets,
            model,
            folder=folder,
            dev=self.dev,
            teacher=self.teacher,
            teacher_cache=self.work.teacher,
        )
        trainer.add_callback(Watcher(trainer, lambda *seen: self._tell(train.seed, name, offset, seen)))
        started = time.monotonic()
        last = checkpoints(folder)[-1:]
        trainer.train(resume_from_checkpoint=str(last[0][0]) if last else None)
        seconds, best = time.monotonic() - started, trainer.state.best_global_step
        if best and best != trainer.state.global_step:
            load_weights(model, folder / f"checkpoint-{best}")
        if processes()[1] > 1:
            require("torch.distributed", extra="train").barrier()  # all have read before anything is removed
        plan = schedule(sets, train, seed=train.seed)
        score = trainer.state.best_metric
        return StageReport(
            train.seed,
            name,
            plan.steps,
            plan.per_epoch,
            plan.warmup,
            plan.evaluation,
            best or plan.steps,
            None if score is None else round(100 * score, 2),
            round(seconds, 1),
            tuple(SetReport(item.name, len(item), item.loss, item.batch_size) for item in sets),
        )

    def _tell(self, seed: int, stage: str, offset: int, seen: tuple[int, float | None, float | None]) -> None:
        if self.on_progress is None or processes()[0] != 0:
            return
        step, loss, score = offset + seen[0], seen[1], seen[2]
        now = time.monotonic()
        if self.first is None:
            self.first = now, step
        begun, before = self.first
        left = (now - begun) / (step - before) * (self.total - step) if step > before else None
        score = None if score is None else 100 * score
        self.on_progress(Progress(seed, stage, step, self.total, loss, score, left))


def averaged(results: Sequence[dict[str, Any]], start: dict[str, Any], share: float) -> dict[str, Any]:
    """Return the mean of ``results`` with ``share``, and ``start`` with the rest; integers are the first's."""
    out = {}
    for key, value in results[0].items():
        if not value.dtype.is_floating_point:
            out[key] = value
            continue
        mean = sum(result[key] for result in results[1:]) + value if len(results) > 1 else value
        mean = mean / len(results)
        out[key] = mean if share == 1 else share * mean + (1 - share) * start[key]
    return out


def _copy(model: Any) -> dict[str, Any]:
    return {key: value.detach().cpu().clone() for key, value in model.state_dict().items()}


def _figures(notes: dict[str, Any]) -> StageReport:
    sets = tuple(SetReport(**item) for item in notes.pop("sets"))
    return StageReport(**notes, sets=sets)


def _measured(model: Any, scored: dict[str, Rows[ScoredPair]]) -> Scores:
    return {name: correlations(model, rows) for name, rows in scored.items()}


def _teacher(recipe: Recipe, sets: list[list[TrainingSet]], download: bool) -> Encoder | None:
    needed = recipe.model.static_dim or any(item.loss in TAUGHT for stage in sets for item in stage)
    return load_teacher(recipe.teacher, download=download) if needed else None


def _machine(recipe: Recipe) -> tuple[str, str]:
    torch = require("torch", extra="train")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return "bf16" if use_bf16(recipe.train.precision) else "fp32", device
