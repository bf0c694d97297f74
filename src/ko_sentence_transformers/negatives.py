"""Hard negatives: texts that a model takes for the answer and that are not, mined by sentence-transformers."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ._extras import require
from ._files import atomic_file
from .data import Pair, Triplet
from .encoding import Embeddings, Encoder, encode
from .errors import InputError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mined:
    """What mining came to: ``left`` are the pairs for which no negative passed the margin."""

    triplets: tuple[Triplet, ...]
    left: tuple[Pair, ...]


def mine_negatives(
    pairs: Sequence[Pair], model: Encoder, *, num_negatives: int = 1, margin: float = 0.05, skip: int = 0
) -> Mined:
    """Return triplets of ``pairs`` with the nearest positives of other pairs as negatives.

    :param num_negatives: triplets of a pair, where as many are found.
    :param margin: a negative must be this share less similar than the positive: closer ones are likely right.
    :param skip: leave the nearest so many out, for corpora with many near copies.
    :raises InputError: for fewer than two different positives, or a value out of range.
    """
    if not 0 <= margin < 1:
        raise InputError(f"margin is {margin}; it must be at least 0 and below 1")
    if num_negatives < 1 or skip < 0:
        raise InputError(f"num_negatives is {num_negatives} and skip {skip}; take at least 1 and 0")
    different = {pair.positive for pair in pairs}
    if len(different) < 2:
        raise InputError(f"the pairs have {len(different)} different positives; negatives are other pairs' positives")
    datasets = require("datasets", extra="train")
    mining = require("sentence_transformers.util", extra="train")
    datasets.utils.logging.disable_progress_bar()
    columns = {"anchor": [p.anchor for p in pairs], "positive": [p.positive for p in pairs]}
    found = mining.mine_hard_negatives(
        datasets.Dataset.from_dict(columns),
        _Miner(model),
        num_negatives=num_negatives,
        range_min=skip,
        range_max=skip + max(20, 10 * num_negatives),
        relative_margin=margin,
        sampling_strategy="top",
        output_format="triplet",
        verbose=False,
    )
    triplets = tuple(Triplet(row["anchor"], row["positive"], row["negative"]) for row in found)
    covered = {(triplet.anchor, triplet.positive) for triplet in triplets}
    left = tuple(pair for pair in pairs if (pair.anchor, pair.positive) not in covered)
    logger.info("%d negatives for %d pairs, none for %d", len(triplets), len(pairs) - len(left), len(left))
    return Mined(triplets, left)


def write_rows(path: Path, rows: Sequence[Pair | Triplet]) -> None:
    """Write rows as JSON lines, as the readers of data read them.

    :raises OutputError: if ``path`` cannot be written.
    """
    with atomic_file(path) as stream:
        for row in rows:
            stream.write((json.dumps(asdict(row), ensure_ascii=False) + "\n").encode())


class _Miner:
    """Any of our encoders in the shape the miner asks for: it only encodes and compares."""

    def __init__(self, model: Encoder) -> None:
        self._model = model
        self.device = "cpu"

    def encode_query(self, texts: Sequence[str], **_: Any) -> Embeddings:
        """Return unit vectors of queries."""
        return encode(self._model, texts, prompt_name="query" if "query" in self._model.prompts else None)

    def encode_document(self, texts: Sequence[str], **_: Any) -> Embeddings:
        """Return unit vectors of documents."""
        return encode(self._model, texts, prompt_name="document" if "document" in self._model.prompts else None)

    def similarity(self, a: Any, b: Any) -> Any:
        """Return the cosine of every row of ``a`` with every row of ``b``."""
        torch = require("torch", extra="train")
        return torch.as_tensor(a) @ torch.as_tensor(b).T

    def similarity_pairwise(self, a: Any, b: Any) -> Any:
        """Return the cosines row by row."""
        torch = require("torch", extra="train")
        return (torch.as_tensor(a) * torch.as_tensor(b)).sum(dim=1)
