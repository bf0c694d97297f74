"""Korean sentence embeddings with small models that ship in the package."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .adaptation import adapt
    from .benchmarking import benchmark
    from .clustering import cluster
    from .encoding import Encoder, encode, similarity
    from .errors import KoSTError
    from .evaluation import evaluate
    from .export import export_model
    from .index import SearchIndex
    from .mining import duplicates, paraphrases
    from .model import load_model
    from .negatives import mine_negatives
    from .recipe import Recipe, load_recipe
    from .records import Record
    from .registry import list_models
    from .retrieval import search
    from .topics import TopicFolder
    from .training import train
    from .trimming import trim_model

__version__ = "0.1.0"

# Public name -> the module that owns it, imported when the name is first used: `import` alone stays cheap.
_OWNERS = {
    "Encoder": "encoding",
    "KoSTError": "errors",
    "Recipe": "recipe",
    "Record": "records",
    "SearchIndex": "index",
    "TopicFolder": "topics",
    "adapt": "adaptation",
    "benchmark": "benchmarking",
    "cluster": "clustering",
    "duplicates": "mining",
    "encode": "encoding",
    "evaluate": "evaluation",
    "export_model": "export",
    "list_models": "registry",
    "load_model": "model",
    "load_recipe": "recipe",
    "mine_negatives": "negatives",
    "paraphrases": "mining",
    "search": "retrieval",
    "similarity": "encoding",
    "train": "training",
    "trim_model": "trimming",
}
__all__ = [
    "Encoder",
    "KoSTError",
    "Recipe",
    "Record",
    "SearchIndex",
    "TopicFolder",
    "__version__",
    "adapt",
    "benchmark",
    "cluster",
    "duplicates",
    "encode",
    "evaluate",
    "export_model",
    "list_models",
    "load_model",
    "load_recipe",
    "mine_negatives",
    "paraphrases",
    "search",
    "similarity",
    "train",
    "trim_model",
]


def __getattr__(name: str) -> object:
    if name not in _OWNERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_OWNERS[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
