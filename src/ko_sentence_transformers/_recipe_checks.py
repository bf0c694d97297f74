"""What makes a recipe impossible to run, said before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .recipe import Recipe, Stage, Train

# What each kind of file becomes: the text columns of one training row.
KINDS: Mapping[str, tuple[str, ...]] = {
    "nli": ("anchor", "positive", "negative"),
    "triplets": ("anchor", "positive", "negative"),
    "pairs": ("anchor", "positive"),
    "groups": ("anchor", "positive"),
    "sts": ("sentence1", "sentence2"),
    "texts": ("text",),
}
# Which kinds a loss can learn from. SimCSE is "mnrl" on "texts": a text is its own positive under dropout.
LOSSES: Mapping[str, tuple[str, ...]] = {
    "mnrl": ("nli", "triplets", "pairs", "groups", "texts"),
    "cosent": ("sts",),
    "angle": ("sts",),
    "cosine": ("sts",),
    "distill": tuple(KINDS),
    "relations": tuple(KINDS),
    "ranks": ("pairs", "groups", "sts"),
}
# Those that learn from a teacher's vectors.
TAUGHT = ("distill", "relations", "ranks")


def problems(recipe: Recipe) -> Iterator[str]:
    """Yield one line for each value that cannot be, naming the key and what it may be."""
    model = recipe.model
    if not model.base:
        yield "model.base is empty; name a folder or a hub model"
    yield from _choice("model.pooling", model.pooling, ("mean", "cls"))
    yield from _choice("model.tokenizer", model.tokenizer, ("auto", "kobert"))
    yield from _range("model.max_seq_length", model.max_seq_length, 3, 8192)
    yield from _range("model.dim", model.dim, 0, 8192)
    yield from _range("model.static_dim", model.static_dim, 0, 8192)
    if model.static_dim and not recipe.teacher.model:
        yield "model.static_dim is set but teacher.model is empty; a static model begins with a teacher's vectors"
    if model.static_dim and model.dim:
        yield "model.dim and model.static_dim are both set; a static model has static_dim dimensions, leave dim out"
    yield from _range("teacher.dim", recipe.teacher.dim, 0, 65536)
    yield from _choice("teacher.metric", recipe.teacher.metric, ("cosine", "mse"))
    if not 0 < recipe.soup.share <= 1:
        yield f"soup.share is {recipe.soup.share}; it must be above 0 and at most 1"
    yield from _range("soup.common_stages", recipe.soup.common_stages, 0, len(recipe.runs) - 1)
    if not recipe.data.sets:
        yield "there is no [data.sets.NAME]; name at least one training set"
    yield from _sets(recipe)
    yield from _train("train", recipe.train)
    for number, stage in enumerate(recipe.runs):
        place = f"stages.{number}" if recipe.stages else "train"
        yield from _train(place, stage.train)
        yield from _stage(recipe, stage, place)


def _sets(recipe: Recipe) -> Iterator[str]:
    for name, item in recipe.data.sets.items():
        place = f"data.sets.{name}"
        yield from _choice(f"{place}.kind", item.kind, tuple(KINDS))
        if not item.files and not item.sets:
            yield f"{place}.files is empty; name files of the data folder"
        if item.sets and (item.files or item.kind != "texts"):
            yield f"{place}.sets is for kind 'texts' without files"
        for other in item.sets:
            known = (key for key, value in recipe.data.sets.items() if not value.sets)
            yield from _choice(f"{place}.sets", other, tuple(known))
        yield from _choice(f"{place}.loss", item.loss, ("", *LOSSES))
        for key in ("limit", "skip_last", "batch_size"):
            yield from _range(f"{place}.{key}", getattr(item, key), 0, 10**9)
        yield from _range(f"{place}.per_group", item.per_group, 1, 1000)
        yield from _choice(f"{place}.on_bad_row", item.on_bad_row, ("error", "drop"))
        for key in ("prompts", "max_chars"):
            for column in getattr(item, key):
                yield from _choice(f"{place}.{key}", column, KINDS.get(item.kind, ()))
        if item.loss in TAUGHT and not recipe.teacher.model:
            yield f"{place}.loss is {item.loss!r} but teacher.model is empty; name the teacher"


def _stage(recipe: Recipe, stage: Stage, place: str) -> Iterator[str]:
    if not stage.sets:
        yield f"{place}.sets is empty"
    for name in stage.sets:
        yield from _choice(f"{place}.sets", name, tuple(recipe.data.sets))
        if name not in recipe.data.sets:
            continue
        loss, kind = recipe.loss_of(name, stage.train), recipe.data.sets[name].kind
        if loss in LOSSES and kind in KINDS and kind not in LOSSES[loss]:
            fitting = " or ".join(other for other, kinds in LOSSES.items() if kind in kinds)
            yield (
                f"{place}: loss {loss!r} cannot learn from set {name!r} of kind {kind!r}; "
                f"set data.sets.{name}.loss to {fitting}"
            )
        if loss in TAUGHT and not recipe.teacher.model:
            yield f"{place}: set {name!r} is distilled but teacher.model is empty; name the teacher"


def _train(place: str, train: Train) -> Iterator[str]:
    yield from _choice(f"{place}.loss", train.loss, tuple(LOSSES))
    yield from _choice(f"{place}.mixing", train.mixing, ("proportional", "round_robin"))
    yield from _choice(f"{place}.precision", train.precision, ("auto", "fp32", "bf16"))
    yield from _range(f"{place}.batch_size", train.batch_size, 1, 65536)
    yield from _range(f"{place}.epochs", train.epochs, 1, 10000)
    yield from _range(f"{place}.max_steps", train.max_steps, 0, 10**9)
    yield from _range(f"{place}.seed", train.seed, 0, 2**32 - 1)
    for key, low, high in (
        ("learning_rate", 0, 1),
        ("warmup_ratio", 0, 1),
        ("weight_decay", 0, 1),
        ("dropout", 0, 0.9),
        ("eval_fraction", 0, 1),
        ("scale", 0, 1000),
        ("max_grad_norm", 0, 10**6),
    ):
        yield from _range(f"{place}.{key}", getattr(train, key), low, high)
    if any(dim < 1 for dim in train.matryoshka_dims):
        yield f"{place}.matryoshka_dims holds a width below 1"


def _choice(key: str, value: str, choices: tuple[str, ...]) -> Iterator[str]:
    if value not in choices:
        yield f"{key} is {value!r}; it must be one of {', '.join(c for c in choices if c)}"


def _range(key: str, value: float, low: float, high: float) -> Iterator[str]:
    if not low <= value <= high:
        yield f"{key} is {value}; it must be {low} to {high}"
