"""MTEB's Korean tasks (extra ``mteb``): any encoder in its place, its figures in ours.

MTEB downloads the data of a task when it runs; nothing else here needs the network.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._extras import require
from .encoding import Embeddings, Encoder, encode, similarity
from .errors import DownloadError, InputError

BENCHMARK = "MTEB(kor, v2)"
# What mteb's own models tell of themselves besides, and no figure depends on.
_UNSAID = (
    "release_date",
    "languages",
    "n_parameters",
    "memory_usage_mb",
    "license",
    "open_weights",
    "public_training_code",
    "public_training_data",
    "use_instructions",
    "training_datasets",
)


@dataclass(frozen=True)
class MtebScore:
    """A model's figure on one MTEB task, times 100.

    :param metric: the task's main metric.
    :param splits: the figure of each split, averaged over its subsets.
    :param version: of mteb.
    """

    task: str
    metric: str
    score: float
    splits: dict[str, float]
    version: str

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {"metric": self.metric, "score": self.score, "splits": self.splits, "mteb": self.version}


class MtebEncoder:
    """What mteb asks of a model, answered by an encoder: prompts by the kind of text, cosine by ours."""

    def __init__(self, model: Encoder) -> None:
        self._model = model
        models = require("mteb.models", extra="mteb")
        # A folder is named like a hub model, which mteb asks for: its last part stands for it.
        name = model.name if model.name.count("/") == 1 else f"local/{model.name.rstrip('/').rsplit('/', 1)[-1]}"
        self.mteb_model_meta = models.ModelMeta(
            loader=None,
            name=name,
            revision="local",
            max_tokens=model.max_seq_length,
            embed_dim=model.dim,
            framework=[],
            similarity_fn_name="cosine",
            **dict.fromkeys(_UNSAID),
        )

    def encode(self, inputs: Any, *, prompt_type: Any = None, **_: Any) -> Embeddings:
        """Return the embeddings of mteb's batches; mteb names its task, split and subset besides."""
        texts = [text for batch in inputs for text in batch["text"]]
        prompt = getattr(prompt_type, "value", prompt_type)
        return encode(self._model, texts, prompt_name=prompt if prompt in self._model.prompts else None)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosine of every row with every row, as the tensor that mteb expects."""
        return require("torch", extra="mteb").from_numpy(similarity(_array(embeddings1), _array(embeddings2)))

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return the cosine row by row."""
        a, b = _array(embeddings1), _array(embeddings2)
        return require("torch", extra="mteb").from_numpy((a * b).sum(axis=1))


def _array(embeddings: Any) -> Embeddings:
    return np.asarray(embeddings, dtype=np.float32)


def korean_tasks() -> tuple[str, ...]:
    """Return the names of MTEB's Korean tasks.

    :raises MissingExtraError: if mteb is not installed.
    """
    mteb = require("mteb", extra="mteb")
    return tuple(task.metadata.name for task in mteb.get_benchmark(BENCHMARK).tasks)


def evaluate_mteb(model: Encoder, names: Sequence[str] = ()) -> dict[str, MtebScore]:
    """Return the score of ``model`` on MTEB's Korean tasks, all of them by default.

    :raises MissingExtraError: if mteb is not installed.
    :raises InputError: for a name that is no Korean task.
    :raises DownloadError: if the data of a task cannot be had.
    """
    mteb = require("mteb", extra="mteb")
    known = {task.metadata.name: task for task in mteb.get_benchmark(BENCHMARK).tasks}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            raise InputError(
                f"mteb has no Korean task {name!r}; "
                + (f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}")
            )
    return {name: run_task(model, known[name]) for name in names or known}


def run_task(model: Encoder, task: Any) -> MtebScore:
    """Return the score of ``model`` on a task object of mteb.

    :raises DownloadError: if mteb cannot run it, most often because its data cannot be downloaded.
    """
    mteb = require("mteb", extra="mteb")
    name = task.metadata.name
    try:
        results = mteb.evaluate(MtebEncoder(model), task, cache=None, co2_tracker=False, show_progress_bar=False)
    except Exception as error:  # the download's exceptions share no base
        reason = " ".join(str(error).split())[:160]
        raise DownloadError(
            f"mteb could not run {name} ({type(error).__name__}: {reason}); "
            "it downloads its data, is this machine online?"
        ) from error
    (result,) = results.task_results
    splits = {
        split: 100 * float(sum(row["main_score"] for row in rows)) / len(rows) for split, rows in result.scores.items()
    }
    metric = str(task.metadata.main_score)
    return MtebScore(name, metric, sum(splits.values()) / len(splits), splits, mteb.__version__)
