"""Evaluation of any encoder: figures with bootstrap intervals, and two models on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ._extras import require
from .encoding import Embeddings, Encoder, TokenIds, encode
from .errors import InputError
from .metrics import Floats, bootstrap, interval, two_sided_p
from .scoring import Outcome
from .tasks import Task, Texts, get_task
from .text import normalize

Place = str | Path
Progress = Callable[[int], None]
NO_PROMPT = "none"


@dataclass(frozen=True)
class Score:
    """A model's figures on one task, times 100 (a threshold is a cosine and stays as it is).

    :param n: pairs, queries, texts or groups.
    :param main: the key of the figure that stands for the task.
    :param interval: 95 % bootstrap interval of the main figure.
    :param dims: the figures with only so many leading dimensions.
    :param points: for sentence pairs, ``(gold score, cosine)`` of each.
    """

    task: str
    n: int
    main: str
    metrics: dict[str, float]
    interval: tuple[float, float]
    dims: dict[int, dict[str, float]] = field(default_factory=dict)
    points: tuple[Floats, Floats] | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        document: dict[str, Any] = {"n": self.n, **self.metrics, f"{self.main}_interval": list(self.interval)}
        if self.dims:
            document["dims"] = {str(dim): metrics for dim, metrics in self.dims.items()}
        return document


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows of one task; figures times 100.

    :param difference: ``a - b``.
    :param interval: 95 % interval of the difference over the same resamples of the rows.
    :param p: two-sided bootstrap p-value of no difference.
    """

    task: str
    n: int
    metric: str
    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    p: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "n": self.n,
            "metric": self.metric,
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "interval": list(self.interval),
            "p": self.p,
        }


def evaluate(
    model: Encoder,
    tasks: str | Sequence[str],
    data: Place | Mapping[str, Place],
    *,
    split: str | None = None,
    prompt_name: str | None = None,
    dims: Sequence[int] = (),
    progress: Progress | None = None,
) -> dict[str, Score]:
    """Return the score of ``model`` on each task.

    Distances and dot products are those of the vectors as the model gives them, as sentence-transformers'
    evaluator has them; cosine does not depend on their length.

    :param tasks: names of :func:`~ko_sentence_transformers.tasks.list_tasks`.
    :param data: a file, or a folder that holds the tasks' files under their own names; or one of them a task.
    :param split: the part to read, where a task has several.
    :param prompt_name: the prompt before every text; ``none`` for no prompt. By default retrieval has the
        model's ``query`` and ``document`` prompts and the other tasks have none.
    :param dims: also score the embeddings cut to so many leading dimensions (Matryoshka).
    :param progress: called with the number of texts embedded since the last call.
    :raises InputError: for an unknown task, data that cannot be read, or a dimension the model does not have.
    :raises MissingExtraError: if a task needs what is not installed.
    """
    chosen = _chosen(tasks)
    for dim in dims:
        if not 1 <= dim <= model.dim:
            raise InputError(f"dimension {dim} is asked for; {model.name} has 1 to {model.dim}")
    scores = {}
    for task in chosen:
        rows = task.read(_place(data, task), split or task.split)
        embeddings = [embed_raw(model, texts, prompt_name, progress) for texts in task.texts(rows)]
        outcome = task.score(rows, embeddings)
        by_dim = {dim: _percent(task.score(rows, [matrix[:, :dim] for matrix in embeddings]).metrics) for dim in dims}
        low, high = interval(bootstrap(outcome.statistic, outcome.n))
        scores[task.name] = Score(
            task.name,
            outcome.n,
            task.main,
            _percent(outcome.metrics),
            (100 * low, 100 * high),
            by_dim,
            outcome.points,
        )
    return scores


def compare(
    a: Encoder,
    b: Encoder,
    tasks: str | Sequence[str],
    data: Place | Mapping[str, Place],
    *,
    split: str | None = None,
    prompt_name: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Comparison]:
    """Return the difference of two models' main figures on each task, resampled in pairs.

    Both models meet the same resamples of the same rows: what is hard for both does not widen the
    interval. Options and errors are those of :func:`evaluate`.
    """
    comparisons = {}
    for task in _chosen(tasks):
        rows = task.read(_place(data, task), split or task.split)
        one, two = (
            task.score(rows, [embed_raw(model, texts, prompt_name, progress) for texts in task.texts(rows)])
            for model in (a, b)
        )
        comparisons[task.name] = _compare(task, one, two)
    return comparisons


def embed_raw(
    model: Encoder, texts: Texts, prompt_name: str | None = None, progress: Progress | None = None
) -> Embeddings:
    """Return ``(n, dim)`` vectors as the model gives them, not made unit length; a blank text is zeros.

    :raises NonFiniteError: if the model returns NaN or infinity.
    """
    chosen = texts.prompt_name if texts.prompt_name in model.prompts else None
    if prompt_name is not None:
        chosen = None if prompt_name == NO_PROMPT else prompt_name
    recorder = _Recorder(model)
    encode(recorder, texts.texts, prompt_name=chosen, progress=progress)
    out = np.zeros((len(texts.texts), model.dim), dtype=np.float32)
    # A blank text never reaches the model.
    out[[bool(normalize(text)) for text in texts.texts]] = np.concatenate(recorder.vectors or [out[:0]])
    return out


class _Recorder:
    """An encoder that keeps the vectors its model gives, before they are made unit length."""

    def __init__(self, model: Encoder) -> None:
        self.vectors: list[Embeddings] = []
        self.name, self.dim, self.max_seq_length = model.name, model.dim, model.max_seq_length
        self.prompts, self.unknown_id = model.prompts, model.unknown_id
        self.tokenize, self.window, self.encode = model.tokenize, model.window, model.encode
        self._model = model

    def embed(self, parts: Sequence[TokenIds], *, batch_tokens: int) -> Embeddings:
        """Pass on and remember what the model returns."""
        vectors = self._model.embed(parts, batch_tokens=batch_tokens)
        self.vectors.append(vectors)
        return vectors


def _compare(task: Task, one: Outcome, two: Outcome) -> Comparison:
    differences = bootstrap(lambda i: one.statistic(i) - two.statistic(i), one.n)
    low, high = interval(differences)
    a, b = 100 * one.metrics[task.main], 100 * two.metrics[task.main]
    return Comparison(task.name, one.n, task.main, a, b, a - b, (100 * low, 100 * high), two_sided_p(differences))


def _chosen(tasks: str | Sequence[str]) -> list[Task]:
    """Return the tasks, sure that what they need is installed: a run must not find that out at its end."""
    chosen = [get_task(name) for name in ([tasks] if isinstance(tasks, str) else tasks)]
    for task in chosen:
        if task.needs is not None:
            module, extra = task.needs
            require(module, extra=extra)
    return chosen


def _place(data: Place | Mapping[str, Place], task: Task) -> Path:
    if not isinstance(data, Mapping):
        return Path(data)
    if task.name not in data:
        raise InputError(f"no data for task {task.name}; there are data for {', '.join(data) or 'no task'}")
    return Path(data[task.name])


def _percent(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value if name.endswith("threshold") else 100 * value for name, value in metrics.items()}
