"""Recipes: everything that decides a training run, in one frozen value read from a short TOML file.

A file holds only what differs from the defaults below and may extend another one. Tables:

``[model]``     what is trained: base, length, pooling, prompts.
``[data]``      ``dev`` and ``test`` (scored pairs) and ``[data.sets.NAME]``: files of the data folder.
``[train]``     how: loss, batch, rate, steps, seed.
``[[stages]]``  several runs one after the other, each over some sets and with its own ``[train]`` keys;
                none means one stage over all sets.
``[teacher]``   whose vectors the sets with ``loss = "distill"`` (``"relations"``, ``"ranks"``) learn.
``[soup]``      what is averaged at the end: seeds with each other, and the result with the base.

An unknown key is an error that names the nearest known one. No torch here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from ._files import atomic_file
from ._recipe_checks import problems
from ._schema import SchemaError, build, merge, overridden, toml_lines
from .errors import InputError, OutputError


@dataclass(frozen=True, slots=True)
class Model:
    """What is trained. ``base`` is a folder or a hub name; a hub name is pinned with ``name@revision``.

    ``dim`` twice the encoder's width adds a second half behind the pooled vector when the training is done: the same
    vector with its directions evened out a little (0: as the base has it). ``static_dim`` makes a static model: a
    table with so many dimensions, one vector a piece of the base's tokenizer, begun with the teacher's vectors of the
    pieces (0: none). ``normalize`` gives the vectors unit length.
    """

    base: str = "klue/bert-base"
    max_seq_length: int = 128
    pooling: str = "mean"
    dim: int = 0
    static_dim: int = 0
    normalize: bool = False
    tokenizer: str = "auto"
    keep_layers: tuple[int, ...] = ()
    prompts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DataSet:
    """One training set: ``files`` of one ``kind``, relative to the data folder, and what is taken of them.

    ``columns`` maps the fields of a row to the file's columns; ``prompts`` puts a text before a column in
    training (the teacher reads ``teacher_prompt``); ``limit`` takes that many rows by the seed (0: all);
    ``skip_last`` leaves the end of the file out (a held-out part); ``max_chars`` cuts a column; ``per_group``
    is the number of pairs of a paraphrase group; ``min_score`` makes pairs of scored rows with that score or
    more; ``max_score`` is the score of two texts that mean the same; ``on_bad_row`` is ``error`` or ``drop``; ``sets``
    (of kind ``texts``, instead of files) takes every text of other sets, so that a batch holds all of them mixed.
    """

    files: tuple[str, ...] = ()
    kind: str = "pairs"
    loss: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)
    teacher_prompt: str = ""
    limit: int = 0
    skip_last: int = 0
    max_chars: dict[str, int] = field(default_factory=dict)
    per_group: int = 1
    min_score: float = float("-inf")
    max_score: float = 5.0
    batch_size: int = 0
    on_bad_row: str = "error"
    sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """Where the rows are; ``dev`` chooses the best step, ``test`` is only measured at the end."""

    dev: str = ""
    test: str = ""
    sets: dict[str, DataSet] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Train:
    """How one stage is trained; the defaults are those of the published training scripts."""

    loss: str = "mnrl"
    scale: float = 20.0
    batch_size: int = 32
    epochs: int = 1
    max_steps: int = 0
    learning_rate: float = 2e-5
    warmup_ratio: float = 0.1
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    dropout: float = 0.1
    eval_fraction: float = 0.1
    seed: int = 777
    matryoshka_dims: tuple[int, ...] = ()
    mixing: str = "proportional"
    group_by_length: bool = True
    keep_best: bool = True
    max_seq_length: int = 0
    precision: str = "auto"


@dataclass(frozen=True, slots=True)
class Stage:
    """One run: its sets (by name) and its training values, those of ``[train]`` where it names none."""

    name: str
    sets: tuple[str, ...]
    train: Train


@dataclass(frozen=True, slots=True)
class Teacher:
    """Whose vectors are learned: a model name or folder, and its leading ``dim`` dimensions (0: all).

    ``metric`` is ``cosine`` or ``mse``.
    """

    model: str = ""
    dim: int = 0
    metric: str = "cosine"


@dataclass(frozen=True, slots=True)
class Soup:
    """Weights averaged at the end: one run for each of ``seeds``, then ``share`` of it and the rest the start.

    The first ``common_stages`` are run once, with the first seed; what they come to is then the start of every run.
    Without, that is the base.
    """

    share: float = 1.0
    seeds: tuple[int, ...] = ()
    common_stages: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training run, resolved: every value is there, and equal recipes make equal models."""

    name: str
    description: str = ""
    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    train: Train = field(default_factory=Train)
    stages: tuple[Stage, ...] = ()
    teacher: Teacher = field(default_factory=Teacher)
    soup: Soup = field(default_factory=Soup)

    @property
    def runs(self) -> tuple[Stage, ...]:
        """The stages to run: the named ones, else one over all sets."""
        return self.stages or (Stage("train", tuple(self.data.sets), self.train),)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds to run with."""
        return self.soup.seeds or (self.train.seed,)

    def times(self, stage: int) -> int:
        """How often the stage of this number is run."""
        return 1 if stage < self.soup.common_stages else len(self.seeds)

    def loss_of(self, name: str, train: Train) -> str:
        """The loss of the set ``name`` in a stage with ``train``."""
        return self.data.sets[name].loss or train.loss

    def as_dict(self) -> dict[str, Any]:
        """The resolved recipe as plain values, JSON-ready."""
        out = asdict(self)
        out["stages"] = [{"name": s.name, "sets": s.sets, **asdict(s.train)} for s in self.stages]
        for table in out["data"]["sets"].values():
            if table["min_score"] == float("-inf"):
                del table["min_score"]  # JSON has no infinity
        return out

    def to_toml(self) -> str:
        """The resolved recipe as a file that :func:`load_recipe` reads back to an equal value."""
        table = {key: value for key, value in self.as_dict().items() if key != "name"}
        return "\n".join(toml_lines(table)) + "\n"


def recipe_names() -> list[str]:
    """Return the names of the recipes that ship, sorted."""
    names = (item.name for item in _shipped().iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def recipe_text(name: str) -> str:
    """Return a shipped recipe's file as it is written, with its reasons.

    :raises InputError: for an unknown name; the nearest ones are suggested.
    """
    if name not in recipe_names():
        near = ", ".join(get_close_matches(name, recipe_names(), 3)) or ", ".join(recipe_names())
        raise InputError(f"no recipe {name!r}; there are: {near} (or give a .toml file)")
    return (_shipped() / f"{name}.toml").read_text(encoding="utf-8")


def copy_recipe(name: str, file: Path) -> None:
    """Write a shipped recipe's file, to be changed and trained by its path.

    :raises InputError: for an unknown name.
    :raises OutputError: if ``file`` is there or cannot be written.
    """
    text = recipe_text(name)
    if file.exists():
        raise OutputError(f"{file} already exists; name a new file")
    with atomic_file(file) as stream:
        stream.write(text.encode())


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Load a shipped recipe by name or one of your own by path, resolve it and check it.

    :param overrides: ``key=value`` with dotted keys: ``train.learning_rate=3e-5``, ``stages.0.epochs=2``.
    :raises InputError: for an unknown name or key (the nearest known one is named) or an impossible value.
    """
    name = Path(name_or_path).stem if _is_path(name_or_path) else str(name_or_path)
    try:
        table = overridden(_raw(name_or_path, seen=()), overrides)
        return validated(_resolve(name, table))
    except SchemaError as error:
        raise InputError(f"recipe {name}: {error}") from None


def _resolve(name: str, table: dict[str, Any]) -> Recipe:
    stages = table.pop("stages", [])
    train = table.get("train", {})
    if not isinstance(stages, list) or not all(isinstance(stage, dict) for stage in stages):
        raise SchemaError("stages must be written as [[stages]] tables")
    recipe = build(Recipe, {"name": name, **table}, where="")
    resolved = []
    for number, stage in enumerate(stages):
        own = {key: value for key, value in stage.items() if key not in ("name", "sets")}
        values = {
            "name": stage.get("name", f"stage{number}"),
            "sets": stage.get("sets", list(recipe.data.sets)),
            "train": merge(train, own),
        }
        resolved.append(build(Stage, values, where=f"stages.{number}", flat="train"))
    return replace(recipe, stages=tuple(resolved))


def validated(recipe: Recipe) -> Recipe:
    """Return ``recipe`` if it can be run.

    :raises InputError: naming the key and the values it may have.
    """
    for problem in problems(recipe):
        raise InputError(f"recipe {recipe.name}: {problem}")
    return recipe


def _raw(name_or_path: str | Path, seen: tuple[str, ...]) -> dict[str, Any]:
    """Read one file and what it extends, as one table."""
    key = str(name_or_path)
    if key in seen:
        raise SchemaError(f"extends goes round in a circle: {' -> '.join((*seen, key))}")
    if _is_path(name_or_path):
        path = Path(name_or_path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"recipe {path}: {getattr(error, 'strerror', None) or error}") from None
    else:
        text = recipe_text(key)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"recipe {key}: not TOML: {error}") from None
    parent = table.pop("extends", None)
    if parent is None:
        return table
    if not isinstance(parent, str):
        raise SchemaError("extends must be the name or the path of one recipe")
    # A path is meant from the file that names it.
    base = Path(key).parent / parent if _is_path(parent) and _is_path(key) else parent
    return merge(_raw(base, (*seen, key)), table)


def _is_path(name_or_path: str | Path) -> bool:
    return isinstance(name_or_path, Path) or str(name_or_path).endswith(".toml") or "/" in str(name_or_path)


def _shipped() -> Traversable:
    return files(__package__) / "recipes"
