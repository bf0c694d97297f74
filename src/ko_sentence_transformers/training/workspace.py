"""The folder of a run at work: what it began with, its checkpoints, the weights of finished stages."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._files import atomic_folder, write_json
from ..errors import InputError, OutputError
from ..recipe import Recipe, load_recipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workspace:
    """``OUTPUT.train`` beside the output of a run."""

    folder: Path

    @staticmethod
    def open(output: Path, recipe: Recipe, hashes: Mapping[str, str], *, resume: bool) -> Workspace:
        """Start a workspace, or take up the one that is there.

        :param hashes: data file -> SHA-256, and what else a run cannot go on without.
        :raises OutputError: if the output is there, or an unfinished run is and ``resume`` is off.
        :raises InputError: if the run there had another recipe or other data.
        """
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise OutputError(f"{output} already exists; name a new folder or remove it first")
        folder = output.with_name(f"{output.name}.train")
        if folder.exists() and not resume:
            raise OutputError(f"{folder} holds an unfinished run; go on with --resume, or remove it to start again")
        if not folder.exists():
            with atomic_folder(folder) as aside:
                (aside / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
                write_json(aside / "data.json", dict(hashes))
        else:
            _check_same(folder, recipe, hashes)
        for leftover in folder.rglob(".*.tmp"):  # of a write that was killed
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        return Workspace(folder)

    def stage(self, seed: int, number: int) -> Path:
        """Return where the checkpoints of a stage lie."""
        return self.folder / f"seed-{seed}" / f"stage-{number}"

    def weights(self, seed: int, number: int) -> Path:
        """Return the file with the weights of a finished stage; it is there once the stage is done."""
        return self.stage(seed, number).with_suffix(".pt")

    @property
    def teacher(self) -> Path:
        """Where the teacher's vectors are kept: the same for all stages and seeds."""
        return self.folder / "teacher"

    def remembered(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` returned when it was first asked for, also in an earlier process."""
        path = self.folder / f"{name}.json"
        if not path.is_file():
            write_json(path, make())
        return json.loads(path.read_text(encoding="utf-8"))

    def remove(self) -> None:
        """Remove it all."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _check_same(folder: Path, recipe: Recipe, hashes: Mapping[str, str]) -> None:
    try:
        before = load_recipe(folder / "recipe.toml")
        data = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: not the workspace of a run ({error}); remove it to start again") from error
    now, then = _flat(recipe.as_dict()), _flat(before.as_dict())
    for key in sorted(set(now) | set(then)):
        if key != "name" and now.get(key) != then.get(key):
            raise InputError(
                f"--resume: the run in {folder} had {key} {then.get(key)!r}, now it is {now.get(key)!r}; "
                "give the same recipe, or remove the folder to start again"
            )
    for name in sorted(set(hashes) | set(data)):
        if hashes.get(name) != data.get(name):
            raise InputError(f"--resume: {name} is not what the run in {folder} was started with")


def _flat(table: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{where}.{key}".lstrip(".")
        if isinstance(value, Mapping):
            out.update(_flat(value, place))
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            out.update(_flat({str(i): item for i, item in enumerate(value)}, place))
        else:
            out[place] = list(value) if isinstance(value, tuple) else value
    return out
