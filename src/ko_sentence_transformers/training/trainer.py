"""sentence-transformers' Trainer with our batches, all-or-nothing checkpoints and progress.

Imported only when a run starts: this is the one module of the package that stands on torch at its top.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformerTrainer
from transformers import TrainerCallback

from .._files import atomic_folder
from ..errors import NonFiniteError, OutputError
from ..recipe import Train
from .sampler import LengthGroupedBatchSampler, MixedBatchSampler
from .sets import TrainingSet

_WEIGHTS = "weights.pt"
_PREFIX = "checkpoint-"
_SAVE_SECONDS = 600


class StageTrainer(SentenceTransformerTrainer):
    """One stage. ``sets`` and ``values`` are given after construction, as the host's signature is its own."""

    sets: Mapping[str, TrainingSet]
    values: Train

    def get_batch_sampler(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """Return the batches of one set; the dataset carries its name."""
        return LengthGroupedBatchSampler(
            self.sets[dataset.info.dataset_name],
            seed=self.args.seed,
            by_length=self.values.group_by_length,
            world_size=self.args.world_size,
        )

    def get_multi_dataset_batch_sampler(self, dataset: Any, batch_samplers: Any, *_: Any, **__: Any) -> Any:
        """Return the batches of all sets in one order."""
        self.mixed = MixedBatchSampler(
            batch_samplers, mixing=self.values.mixing, seed=self.args.seed, world_size=self.args.world_size
        )
        return self.mixed

    def create_optimizer(self, model: Any = None) -> Any:
        """Return the optimizer: the host's, or for a model that is a table alone one that leaves rows alone."""
        if self.optimizer is None and [name for name, _ in self.model.named_parameters()] == ["0.embedding.weight"]:
            self.optimizer = RowAdam(self.model.parameters(), lr=self.args.learning_rate)
        return super().create_optimizer(model)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Leave the host's card out: it asks the hub, and ours is written at the end."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint aside and rename it: a kill or a full disk leaves the one before as it was."""
        self.store_flos()
        final = Path(str(self.args.output_dir)) / f"{_PREFIX}{self.state.global_step}"
        states = self._gathered_rng()
        if self.args.should_save:
            self._write(final, states)
        if self.args.world_size > 1:
            torch.distributed.barrier()  # nobody reads it before it is whole

    def _write(self, final: Path, states: Mapping[str, bytes]) -> None:
        try:
            with atomic_folder(final, replace=True) as aside:
                torch.save(self.model.state_dict(), aside / _WEIGHTS)
                self._save_optimizer_and_scheduler(str(aside))
                self._save_scaler(str(aside))
                for name, content in states.items():
                    (aside / name).write_bytes(content)
                self.state.save_to_json(str(aside / "trainer_state.json"))
        except (OSError, RuntimeError) as error:
            raise _unsaved(final, error) from error
        self._drop_old()

    def _gathered_rng(self) -> dict[str, bytes]:
        """Return the random states of every process as files: name -> content."""
        with tempfile.TemporaryDirectory() as scratch:
            self._save_rng_state(scratch)
            mine = {path.name: path.read_bytes() for path in Path(scratch).iterdir()}
        if self.args.world_size == 1:
            return mine
        everyones: list[dict[str, bytes]] = [{} for _ in range(self.args.world_size)]
        torch.distributed.all_gather_object(everyones, mine)
        return {name: content for part in everyones for name, content in part.items()}

    def _drop_old(self) -> None:
        """Keep the newest checkpoint and the best one."""
        kept = {self.state.global_step, self.state.best_global_step}
        for path, step in checkpoints(Path(str(self.args.output_dir))):
            if step not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load exactly what was saved: no folder is rebuilt, so nothing can come back changed."""
        load_weights(self.model, Path(resume_from_checkpoint))


class RowAdam(torch.optim.SparseAdam):
    """Adam for a table: a step updates the rows that its batch has read, and no other.

    It is three times as quick, and a rare piece is moved once by each of the few batches that it is in, where Adam
    would go on moving it for many steps.
    """

    def step(self, closure: Any = None) -> Any:
        """Update the rows that have a gradient."""
        for group in self.param_groups:
            for table in group["params"]:
                rows = table.grad.any(dim=1).nonzero()[:, 0]
                values = table.grad[rows]
                table.grad = torch.sparse_coo_tensor(rows[None], values, table.shape, check_invariants=False)
        return super().step(closure)  # type: ignore[no-untyped-call]


class Watcher(TrainerCallback):
    """Passes steps, losses and scores on, stops at a loss that is no number, and sets the sampler's epoch."""

    def __init__(self, trainer: StageTrainer, tell: Callable[[int, float | None, float | None], None]) -> None:
        self.trainer = trainer
        self.tell = tell
        self.loss: float | None = None
        self.saved = time.monotonic()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Set the epoch: a taken-up run wraps the sampler, and not every wrapper passes the epoch on."""
        self.trainer.mixed.set_epoch(int((state.epoch or 0.0) + 1e-9))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Look at the loss."""
        if logs and "loss" in logs:
            self.loss = float(logs["loss"])
            if not math.isfinite(self.loss):
                raise NonFiniteError(f"the loss is {self.loss} at step {state.global_step}; lower train.learning_rate")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Pass the step on, and ask for a checkpoint when the last one is long ago."""
        self.tell(state.global_step, self.loss, None)
        # Processes have different clocks and must save together: with several, only as planned.
        if args.world_size == 1 and time.monotonic() - self.saved > _SAVE_SECONDS:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note when the last checkpoint was written."""
        self.saved = time.monotonic()

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **_: Any) -> None:
        """Pass the score on."""
        self.tell(state.global_step, self.loss, float(metrics["eval_dev_spearman_cosine"]))


def checkpoints(folder: Path) -> list[tuple[Path, int]]:
    """Return ``(folder, step)`` of every whole checkpoint, oldest first."""
    found = [(path, int(path.name.removeprefix(_PREFIX))) for path in folder.glob(f"{_PREFIX}*")]
    return sorted(found, key=lambda item: item[1])


def load_weights(model: Any, checkpoint: Path) -> None:
    """Put a checkpoint's weights into ``model``."""
    model.load_state_dict(torch.load(checkpoint / _WEIGHTS, map_location="cpu", weights_only=True))


def _unsaved(path: Path, error: Exception) -> OutputError:
    if isinstance(error, OutputError):
        reason = str(error).partition(": ")[2].partition(";")[0] or str(error)
    else:  # torch says where its writer stopped, not why
        reason = f"the file could not be written whole, is the disk full? ({' '.join(str(error).split())[:80]})"
    return OutputError(f"cannot write {path}: {reason}; the checkpoint before it is intact: make room, then --resume")
