"""Exact search: the nearest texts of a corpus, by cosine, none missed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._files import atomic_file
from .encoding import Embeddings, Encoder, encode, similarity
from .engines.cache import cache_folder
from .errors import InputError, KoSTError
from .records import Record

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hit:
    """One found text; ``score`` is its cosine with the query, higher is nearer."""

    id: str
    score: float
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)


def search(
    model: Encoder,
    corpus: Sequence[str] | Sequence[Record],
    query: str,
    *,
    top_k: int = 5,
    embeddings: Embeddings | None = None,
) -> list[Hit]:
    """Return the ``top_k`` texts of ``corpus`` nearest to ``query``, best first; ties in corpus order.

    The model's ``query`` and ``document`` prompts are used.

    :param embeddings: ``(len(corpus), dim)`` of the corpus if they are at hand (:func:`embed_corpus`).
    :raises InputError: for a ``top_k`` below 1, a blank query, or embeddings of another length.
    """
    if top_k < 1:
        raise InputError(f"top_k is {top_k}; it must be at least 1")
    if not query.strip():
        raise InputError("the query is blank; ask something")
    records = as_records(corpus)
    if embeddings is None:
        embeddings = encode(model, [record.passage for record in records], prompt_name="document")
    if len(embeddings) != len(records):
        raise InputError(f"{len(embeddings)} embeddings for {len(records)} texts; they must be as many")
    if not records:
        return []
    scores = similarity(encode(model, [query], prompt_name="query"), embeddings)[0]
    return [Hit(records[i].id, float(scores[i]), records[i].text, records[i].metadata) for i in nearest(scores, top_k)]


def nearest(scores: NDArray[np.float32], top_k: int) -> list[int]:
    """Return the positions of the ``top_k`` highest scores, highest first; ties by position."""
    top_k = min(top_k, len(scores))
    # Everything at least as good as the k-th, so that ties at the edge are broken by position, not by chance.
    edge = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
    candidates = np.flatnonzero(scores >= edge)
    order: list[int] = candidates[np.argsort(-scores[candidates], kind="stable")][:top_k].tolist()
    return order


def as_records(corpus: Sequence[str] | Sequence[Record]) -> list[Record]:
    """Return the corpus as records; a plain text gets its position as id.

    :raises InputError: for what is neither; its position is named.
    """
    records = []
    for position, item in enumerate(corpus):
        if isinstance(item, str):
            records.append(Record(str(position), item))
        elif isinstance(item, Record):
            records.append(item)
        else:
            raise InputError(f"text {position} is {type(item).__name__}, not a string")
    return records


def embed_corpus(
    model: Encoder, records: Sequence[Record], *, progress: Callable[[int], None] | None = None
) -> Embeddings:
    """Return the corpus embeddings, from the cache where this model has embedded these very texts before.

    :param progress: called with the number of texts done since the last call.
    """
    passages = [record.passage for record in records]
    folder = cache_folder("corpus")
    if folder is None:
        return encode(model, passages, prompt_name="document", progress=progress)
    path = folder / f"{_key(model, records)}.npy"
    try:
        stored: Embeddings = np.load(path)
        if stored.shape == (len(records), model.dim):
            return stored
    except (OSError, ValueError):  # not there, or cut off: made again
        pass
    embeddings = encode(model, passages, prompt_name="document", progress=progress)
    try:
        with atomic_file(path) as stream:
            np.save(stream, embeddings)
    except KoSTError as error:
        logger.debug("the corpus cache could not be written: %s", error)
    return embeddings


def _key(model: Encoder, records: Sequence[Record]) -> str:
    """Hash of the model (by what it makes of a probe, so that a retrained folder differs) and the texts."""
    digest = hashlib.sha256()
    digest.update(np.round(encode(model, ["캐시를 가르는 문장"]), 4).tobytes())
    digest.update(repr((model.name, model.dim, model.max_seq_length, model.prompts.get("document"))).encode())
    for record in records:
        passage = record.passage.encode("utf-8", "surrogatepass")
        digest.update(len(passage).to_bytes(8, "little") + passage)
    return digest.hexdigest()[:40]
