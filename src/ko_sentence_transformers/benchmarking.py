"""Speed against other libraries: one run, the same texts and weights, rounds in turn, each side in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from .errors import InputError, MissingExtraError, ModelError
from .export import export_model, write_full_precision
from .export.sentences import korean_sentences
from .model_folder import find_folder, read_modules
from .pooling import read_json

AGAINST = ("sentence-transformers", "fastembed", "model2vec")
TEXTS = 512
_SINGLE_TEXTS = 64
_KEY = "cosine_spearman"


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One model on one engine.

    :param ratio: times as many sentences a second as the library it is compared with, with the same weights.
    :param ratio_to_first: the same against that library with the first model's weights.
    :param latency_ms_p50: one text at a time, warm.
    :param memory_mb: the most that its process held, all texts encoded at once.
    :param quality: KorSTS test cosine Spearman x 100 from the model's ``scores.json``, if it says.
    """

    model: str
    engine: str
    sentences_per_second: float
    latency_ms_p50: float
    ratio: float | None
    ratio_to_first: float | None
    latency_ratio: float | None
    memory_mb: float | None
    start_seconds: float
    quality: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


@dataclass
class _Side:
    """A running process and what it measured."""

    model: str
    contender: str
    process: subprocess.Popen[str]
    log: Any
    engine: str
    start_seconds: float
    speeds: list[float]
    singles: list[float]
    memory_mb: float | None = None

    def ask(self, command: str) -> dict[str, Any]:
        """Send one command and return the answer."""
        _send(self.process, command)
        return _answer(self.process, self.log, self.contender)


def benchmark(
    models: Sequence[str],
    *,
    against: Sequence[str] = ("sentence-transformers",),
    texts: Sequence[str] | None = None,
    engine: str | None = None,
    threads: int | None = None,
    rounds: int = 3,
    progress: Callable[[int], None] | None = None,
) -> list[BenchmarkRow]:
    """Time models and the libraries ``against`` with the same weights; our rows come first.

    A static model is compared with sentence-transformers and model2vec, the others with sentence-transformers
    (torch, float32, batches of 32) and fastembed (full-precision ONNX).

    :param texts: what is encoded; 512 built-in Korean sentences by default.
    :param engine: of our rows; the quickest installed by default.
    :param rounds: each side encodes the texts once a round, one side after the other; medians are reported.
    :param progress: called after each round of a side, of all texts and of one text at a time.
    :raises InputError: for an unknown library, one that runs none of the models, or no text.
    :raises MissingExtraError: for a library that is not installed.
    """
    _check(models, against, rounds)
    texts = korean_sentences(TEXTS) if texts is None else [text for text in texts if text.strip()]
    if not texts:
        raise InputError("there is no text to encode; give a file with some hundred sentences")
    folders = {model: find_folder(model) for model in models}
    pairs = [(model, "ours") for model in models]
    pairs += [(model, name) for name in against for model in models if _fits(name, folders[model])]
    idle = [name for name in against if name not in {contender for _, contender in pairs}]
    if idle:
        kind = "static models" if idle[0] == "model2vec" else "models that are not static"
        raise InputError(f"{idle[0]} runs {kind} only; name one with --model")
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ko-st-benchmark-")))
        job = {"texts": texts, "engine": engine, "threads": threads}
        sides = [
            stack.enter_context(_running(model, name, {**job, "model": _prepared(model, folders[model], name, work)}))
            for model, name in pairs
        ]
        for _ in range(rounds):
            for side in sides:
                side.speeds.append(side.ask("bulk")["sentences_per_second"])
                if progress:
                    progress(1)
        for side in sides:
            side.memory_mb = side.ask("memory")["memory_mb"]
        # Afterwards, so that the memory is that of a bulk run: one text at a time may be compiled for on its own.
        for _ in range(rounds):
            for side in sides:
                side.singles += side.ask(str(_SINGLE_TEXTS))["seconds"]
                if progress:
                    progress(1)
    return [_row(side, sides, against, folders[side.model]) for side in sides]


def _check(models: Sequence[str], against: Sequence[str], rounds: int) -> None:
    if not models:
        raise InputError("there is no model to time; name one with --model")
    if rounds < 1:
        raise InputError(f"rounds is {rounds}; it must be at least 1")
    for name in against:
        if name not in AGAINST:
            raise InputError(f"library {name!r} is unknown; choose of {', '.join(AGAINST)}")
        if find_spec(name.replace("-", "_")) is None:
            raise MissingExtraError(f"{name} is not installed; run: pip install {name}")


def _static(folder: Path) -> bool:
    return read_modules(folder)[0][0] == "StaticEmbedding"


def _fits(contender: str, folder: Path) -> bool:
    if contender == "sentence-transformers":
        return True
    return _static(folder) == (contender == "model2vec")


def _prepared(model: str, folder: Path, contender: str, work: Path) -> str:
    """Return what a contender loads: our model as it is, the others its full-precision form in ``work``."""
    if contender == "ours":
        return model
    network = contender == "fastembed"
    target = work / f"{'onnx' if network else 'float'}-{Path(model).name}"
    if target.exists():
        return str(target)
    if network:
        export_model(folder, target, to="onnx")
    else:
        target.mkdir()
        write_full_precision(folder, target)
    return str(target)


@contextmanager
def _running(model: str, contender: str, job: dict[str, Any]) -> Iterator[_Side]:
    command = [sys.executable, "-W", "ignore", "-m", f"{__package__}._contender"]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, encoding="utf-8"
        ) as process,
    ):
        try:
            _send(process, json.dumps({**job, "contender": contender}))
            ready = _answer(process, log, contender)
            yield _Side(model, contender, process, log, ready["engine"], ready["start_seconds"], [], [])
        finally:
            process.kill()


def _send(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    # Of a process that is gone, the missing answer says why.
    with suppress(BrokenPipeError):
        process.stdin.write(line + "\n")
        process.stdin.flush()


def _answer(process: subprocess.Popen[str], log: Any, contender: str) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        log.seek(0)
        said = [line for line in log.read().splitlines() if line.strip()]
        raise ModelError(f"{contender} stopped: {said[-1][:200] if said else 'it said nothing'}")
    document: dict[str, Any] = json.loads(line)
    return document


def _row(side: _Side, sides: Sequence[_Side], against: Sequence[str], folder: Path) -> BenchmarkRow:
    others = [other for other in sides if against and other.contender == against[0]]
    same = next((other for other in others if other.model == side.model), None)
    speed, latency = median(side.speeds), median(side.singles)
    return BenchmarkRow(
        model=side.model,
        engine=side.engine,
        sentences_per_second=round(speed, 1),
        latency_ms_p50=round(1000 * latency, 3),
        ratio=_ratio(side.speeds, same.speeds) if same else None,
        ratio_to_first=_ratio(side.speeds, others[0].speeds) if others else None,
        latency_ratio=round(median(same.singles) / latency, 2) if same else None,
        memory_mb=None if side.memory_mb is None else round(side.memory_mb),
        start_seconds=round(side.start_seconds, 2),
        quality=read_quality(folder),
    )


def _ratio(speeds: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the rounds' own ratios: a slow moment of the machine hits both sides of a round."""
    return round(median(a / b for a, b in zip(speeds, base, strict=True)), 2)


def read_quality(folder: Path) -> float | None:
    """Return the KorSTS test cosine Spearman x 100 that ``scores.json`` of a model folder states."""
    path = folder / "scores.json"
    if not path.is_file():
        return None
    found = [(keys, value) for keys, value in _figures(read_json(path), ()) if "before" not in keys]
    for wanted in (("korsts", "test"), ("korsts",), ("test",)):
        for keys, value in found:
            if all(any(word in key for key in keys) for word in wanted):
                return round(value * 100 if value <= 1 else value, 2)
    return None


def _figures(document: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _figures(value, (*keys, key.lower()))
    elif isinstance(document, int | float) and keys and keys[-1] == _KEY:
        yield keys, float(document)
