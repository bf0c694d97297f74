"""One side of a benchmark in a process of its own: reads a job and commands on stdin, answers on stdout, in JSON lines.

``python -m ko_sentence_transformers._contender``; :mod:`ko_sentence_transformers.benchmarking` starts it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

Encode = Callable[[Sequence[str]], object]
# A quick engine goes over the texts again until this much time has passed, so that the clock's grain does not matter.
_LEAST_SECONDS = 0.5


def main() -> None:
    """Load what the first line names, then time it as the following lines say."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not an answer
    job = json.loads(sys.stdin.readline())
    started = time.perf_counter()
    encode, engine = _LOADERS[job["contender"]](job)
    texts = job["texts"]
    encode(texts)  # warm: every shape is compiled, every page is there
    _answer(answers, {"engine": engine, "start_seconds": time.perf_counter() - started})
    for line in sys.stdin:
        command = line.strip()
        if command == "bulk":
            _answer(answers, {"sentences_per_second": _bulk(encode, texts)})
        elif command == "memory":
            _answer(answers, {"memory_mb": _peak_memory_mb()})
        else:
            encode(texts[:1])  # warm too
            _answer(answers, {"seconds": [_seconds(encode, [text]) for text in texts[: int(command)]]})


def _answer(answers: Any, document: dict[str, Any]) -> None:
    answers.write(json.dumps(document) + "\n")
    answers.flush()


def _seconds(encode: Encode, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    encode(texts)
    return time.perf_counter() - started


def _bulk(encode: Encode, texts: Sequence[str]) -> float:
    done, spent = 0, 0.0
    while spent < _LEAST_SECONDS:
        spent += _seconds(encode, texts)
        done += len(texts)
    return done / spent


def _ours(job: dict[str, Any]) -> tuple[Encode, str]:
    from .model import load_model

    model = load_model(job["model"], engine=job["engine"], threads=job["threads"])
    return model.encode, str(getattr(model, "engine", "own"))


def _sentence_transformers(job: dict[str, Any]) -> tuple[Encode, str]:
    import torch
    from sentence_transformers import SentenceTransformer

    if job["threads"]:
        torch.set_num_threads(job["threads"])
    model = SentenceTransformer(job["model"], device="cpu", local_files_only=True).float()

    def encode(texts: Sequence[str]) -> object:
        return model.encode(list(texts), batch_size=32, normalize_embeddings=True, show_progress_bar=False)

    return encode, "sentence-transformers"


def _fastembed(job: dict[str, Any]) -> tuple[Encode, str]:
    text_embedding = import_module("fastembed").TextEmbedding
    facts = import_module("fastembed.common.model_description")
    folder = Path(job["model"])
    width = json.loads((folder / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    # Whatever the model pools by, the time is the same to a thousandth.
    source = facts.ModelSource(hf="local/model")
    text_embedding.add_custom_model(
        "local/model", facts.PoolingType.MEAN, True, source, width, model_file="onnx/model.onnx"
    )
    model = text_embedding("local/model", specific_model_path=str(folder), threads=job["threads"], cuda=False)
    return lambda texts: list(model.embed(list(texts))), "fastembed"


def _model2vec(job: dict[str, Any]) -> tuple[Encode, str]:
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = Path(job["model"])
    table = load_file(next(folder.rglob("model.safetensors")))["embedding.weight"]
    tokenizer = Tokenizer.from_file(str(next(folder.rglob("tokenizer.json"))))
    model = import_module("model2vec").StaticModel(table, tokenizer, normalize=True)
    return lambda texts: model.encode(list(texts)), "model2vec"


_LOADERS: dict[str, Callable[[dict[str, Any]], tuple[Encode, str]]] = {
    "ours": _ours,
    "sentence-transformers": _sentence_transformers,
    "fastembed": _fastembed,
    "model2vec": _model2vec,
}


def _peak_memory_mb() -> float | None:
    """Return the most memory this process ever held."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count the parent's memory at the fork
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        return None if line is None else int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
