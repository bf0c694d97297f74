"""The table of models: those that ship in the package and the published ones known by name.

A shipped model is a folder under ``models/``; its facts are read from the folder. A published one is a row here:
its weights are on the Hugging Face hub, and nothing is downloaded unless the user asks for it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from .errors import UnknownModelError

SHIPPED_FOLDER = Path(__file__).parent / "models"
DEFAULT_MODEL = "ko-sbert-small"


@dataclass(frozen=True, slots=True)
class ModelMeta:
    """Facts about one model."""

    name: str
    dim: int
    max_seq_length: int
    license: str
    source: Literal["shipped", "hub"]
    hub_id: str | None = None
    revision: str | None = None
    size_mb: float | None = None
    description: str = ""

    @property
    def folder(self) -> Path | None:
        """Where a shipped model lies."""
        return SHIPPED_FOLDER / self.name if self.source == "shipped" else None

    @property
    def on_disk(self) -> bool:
        """Whether it can be used with no network."""
        if self.folder is not None:
            return (self.folder / "modules.json").is_file()
        from .hub import cached_folder

        return self.hub_id is not None and cached_folder(self.hub_id, self.revision) is not None

    def as_dict(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        return {**asdict(self), "on_disk": self.on_disk}


def _shipped(name: str, dim: int, max_seq_length: int, description: str) -> ModelMeta:
    folder = SHIPPED_FOLDER / name
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    size = round(sum(path.stat().st_size for path in files) / 1e6, 1) or None
    return ModelMeta(name, dim, max_seq_length, "CC-BY-SA-4.0", "shipped", size_mb=size, description=description)


def _hub(hub_id: str, dim: int, max_seq_length: int, license: str, revision: str | None = None) -> ModelMeta:
    return ModelMeta(hub_id.split("/")[1], dim, max_seq_length, license, "hub", hub_id, revision)


def _shipped_models() -> list[ModelMeta]:
    return [
        _shipped("ko-sbert-small", 768, 128, "12 layers; similarity, search and topics"),
        _shipped("ko-sbert-mini", 384, 128, "4 layers; similarity, several times quicker"),
        _shipped("ko-sbert-nano", 256, 1_000_000, "a table of vectors, numpy only; the quickest"),
    ]


# "unstated": the model card names no licence. A revision is the commit that is fetched; where none is pinned, the
# newest is, and a warning names its commit.
_PUBLISHED = (
    _hub("jhgan/ko-sbert-nli", 768, 128, "unstated"),
    _hub("jhgan/ko-sbert-sts", 768, 128, "unstated"),
    _hub("jhgan/ko-sbert-multitask", 768, 128, "unstated"),
    _hub("jhgan/ko-sroberta-nli", 768, 128, "unstated"),
    _hub("jhgan/ko-sroberta-sts", 768, 128, "unstated"),
    _hub("jhgan/ko-sroberta-multitask", 768, 128, "unstated", "8fca7c9c98c26599be0e14b9916b11a756a26f19"),
    _hub("snunlp/KR-SBERT-V40K-klueNLI-augSTS", 768, 128, "unstated"),
    _hub("BM-K/KoSimCSE-roberta-multitask", 768, 512, "unstated"),
    _hub("intfloat/multilingual-e5-small", 384, 512, "MIT"),
    _hub(
        "dragonkue/multilingual-e5-small-ko",
        384,
        512,
        "Apache-2.0",
        "bba4cb8e3299d445c04f62bf62e2b26461d03715",
    ),
    _hub(
        "exp-models/dragonkue-KoEn-E5-Tiny",
        384,
        512,
        "Apache-2.0",
        "292c09c78c71a3f00ed56ee0d1ed9f0d39182fc9",
    ),
    _hub("nlpai-lab/KURE-v1", 1024, 8192, "MIT", "d14c8a9423946e268a0c9952fecf3a7aabd73bd9"),
    _hub("nlpai-lab/KoE5", 1024, 512, "MIT", "bc6d284c60fe5a973e74c1751b92594c9f581213"),
    _hub("dragonkue/BGE-m3-ko", 1024, 8192, "Apache-2.0", "7074d66aa46562342193ca4feb3d89bf9dad71b4"),
)


def list_models() -> list[ModelMeta]:
    """Return the known models, shipped ones first."""
    return [*_shipped_models(), *_PUBLISHED]


def find_model(name: str) -> ModelMeta:
    """Return the model called ``name`` (its own name or its hub id).

    :raises UnknownModelError: with the nearest names.
    """
    for meta in list_models():
        if name in (meta.name, meta.hub_id):
            return meta
    raise UnknownModelError(f"model {name!r} is unknown{_suggest(name, [meta.name for meta in list_models()])}")


def _suggest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else "; ko-st models lists them"
