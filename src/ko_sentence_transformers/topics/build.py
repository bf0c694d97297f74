"""From texts to a folder of topics: encode, group, name, place on a map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from .. import manifold
from ..clustering import Clusters, Settings, cluster, stability
from ..encoding import Embeddings, Encoder, encode
from ..errors import InputError
from ..text import normalize
from .describe import describe
from .folder import TopicFolder
from .words import count_terms

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Texts:
    """What to group: texts with an id and a date each (None where there is none)."""

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    dates: tuple[date | None, ...]

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.texts) == len(self.dates):
            raise InputError(f"{len(self.texts)} texts, {len(self.ids)} ids, {len(self.dates)} dates; give one each")


def embed(model: Encoder, texts: Sequence[str], *, progress: Progress | None = None) -> Embeddings:
    """Return ``(len(texts), dim)`` embeddings that do not depend on the order of the texts.

    Each different text is encoded once, in sorted order: a text batched with other neighbours may differ in its
    last bits, which is enough to move a topic. The prompt for documents is used where the model has one.
    """
    clean = [normalize(text) for text in texts]
    unique = sorted(set(clean))
    place = {text: at for at, text in enumerate(unique)}
    prompt_name = "document" if model.prompts.get("document") else None
    embeddings = encode(model, unique, prompt_name=prompt_name, progress=progress)
    return embeddings[[place[text] for text in clean]]


def make_topics(
    rows: Texts,
    embeddings: Embeddings,
    *,
    settings: Settings | None = None,
    title: str = "",
    about: dict[str, Any] | None = None,
    step: Callable[[str], None] | None = None,
) -> TopicFolder:
    """Return the topics of ``rows``, with names, stability and a place on the map for every text.

    :param embeddings: ``(len(rows.texts), dim)``, from :func:`embed`; zeros for blank texts.
    :param about: kept in the folder beside the title (the model's name belongs here).
    :param step: called with what begins.
    :raises InputError: for embeddings that do not fit, or as :func:`~ko_sentence_transformers.cluster` does.
    """
    if len(embeddings) != len(rows.texts):
        raise InputError(f"{len(rows.texts)} texts, but {len(embeddings)} embeddings; encode exactly these texts")
    settings = settings or Settings()
    say = step or (lambda name: None)
    say("grouping")
    clusters = _grouped(embeddings, settings)
    say("measuring stability")
    score = stability(embeddings, clusters)
    say("naming")
    terms = count_terms(rows.texts, clusters.labels, len(clusters))
    topics = describe(rows.texts, embeddings, clusters, terms)
    say("drawing the map")
    xy = place_on_map(embeddings, seed=settings.seed)
    facts = {"title": title or "주제 지도", **(about or {}), "method": settings.method, "stability": round(score, 4)}
    return TopicFolder(rows.ids, rows.texts, rows.dates, clusters.labels, xy, tuple(topics), clusters, terms, facts)


def place_on_map(embeddings: Embeddings, *, seed: int = 42) -> Embeddings:
    """Return ``(n, 2)``: near each other what means the same; NaN for rows of zeros (blank texts)."""
    xy = np.full((len(embeddings), 2), np.nan, dtype=np.float32)
    rows = np.flatnonzero(embeddings.any(axis=1))
    if len(rows):
        unique, inverse = np.unique(embeddings[rows], axis=0, return_inverse=True)
        xy[rows] = manifold.reduce(unique, 2, seed=seed, spread=True)[inverse.ravel()]
    return xy


def _grouped(embeddings: Embeddings, settings: Settings) -> Clusters:
    return cluster(
        embeddings,
        k=settings.k,
        threshold=settings.threshold,
        min_topic_size=settings.min_topic_size,
        reassign_outliers=settings.reassign_outliers,
        seed=settings.seed,
    )
