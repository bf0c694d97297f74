"""What ties an index to its model and analyser: facts written at its creation and checked ever after."""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np

from ..encoding import Embeddings, Encoder, TextReport, encode
from ..errors import IndexFolderError, InputError
from ..morphemes import Analyser
from ..records import Record
from .lexical import joined, load
from .store import Store

logger = logging.getLogger(__name__)

# A text that every model embeds in its own way: the same name on another model is noticed.
PROBE = "한국어 문장의 뜻을 수로 나타냅니다."
# The same weights on another engine or processor differ less than this, another model more.
SAME = 0.98
_BATCH = 1024


def facts(encoder: Encoder | None, dim: int | None) -> dict[str, Any]:
    """Return what a new index records about its model."""
    if encoder is None:
        if dim is None or dim < 1:
            raise InputError("an index without an encoder needs dim, the width of the embeddings it will be given")
        return {"model": None, "dim": dim, "probe": None}
    probe = encode(encoder, [PROBE], truncate_dim=dim)[0]
    return {"model": encoder.name, "dim": len(probe), "probe": [round(float(x), 5) for x in probe]}


def check(store: Store, encoder: Encoder) -> None:
    """Make sure that ``encoder`` gives the embeddings that the index holds.

    :raises IndexFolderError: saying which model it needs.
    """
    dim, probe, model = store.meta("dim"), store.meta("probe"), store.meta("model")
    rebuild = f"or build a new one: ko-st index build INPUT --index NEW --model {encoder.name}"
    if encoder.dim < dim:
        raise IndexFolderError(
            f"{store.folder} holds {dim} dimensions of {model or 'other embeddings'}, {encoder.name} has "
            f"{encoder.dim}; open it with its model, {rebuild}"
        )
    if probe is None:
        return
    same = float(np.dot(encode(encoder, [PROBE], truncate_dim=dim)[0], np.asarray(probe, np.float32)))
    if same < SAME:
        raise IndexFolderError(
            f"{store.folder} was built with {model}, whose embeddings {encoder.name} does not give "
            f"(cosine {same:.2f}); open it with --model {model}, {rebuild}"
        )


def analyser(store: Store) -> Analyser:
    """Return the analyser whose terms the index holds.

    :raises IndexFolderError: if only another version is installed.
    """
    found = load(store.meta("analyser_name"), store.meta("words"))
    if found.version != store.meta("analyser"):
        raise IndexFolderError(
            f"the words of {store.folder} are by {store.meta('analyser')}, installed is {found.version}; "
            f"analyse them again (embeddings are kept): ko-st index compact {store.folder}"
        )
    return found


def reanalyse(store: Store, *, damaged: bool = False) -> None:
    """Write the words of every chunk anew, as one commit, if another version of the analyser is installed.

    :param damaged: write them in any case.
    """
    found = load(store.meta("analyser_name"), store.meta("words"))
    if found.version == store.meta("analyser") and not damaged:
        return
    with store.writing() as connection:
        store.clear_words()
        rows = connection.execute(
            "SELECT c.chunk, substr(d.text, c.start + 1, c.stop - c.start), d.metadata "
            "FROM chunk c JOIN document d USING (doc) ORDER BY c.chunk"
        )
        while block := rows.fetchmany(_BATCH):
            terms = found.terms(Record("", text, json.loads(metadata)).passage for _, text, metadata in block)
            connection.executemany(
                "INSERT INTO words(rowid, terms) VALUES (?, ?)",
                [(chunk, joined(new)) for (chunk, _, _), new in zip(block, terms, strict=True)],
            )
        store.set_meta(
            analyser=found.version, generation=store.meta("generation") + 1, deletions=store.meta("deletions") + 1
        )


def checked(embeddings: Embeddings, dim: int) -> Embeddings:
    """Return embeddings made elsewhere as ``(n, dim)`` float32.

    :raises InputError: if their width differs, or they are not finite or not of unit length.
    """
    array = np.asarray(embeddings, np.float32)
    if array.ndim != 2 or array.shape[1] != dim:
        raise InputError(f"embeddings have the shape {array.shape}; the index holds {dim} dimensions")
    norms = np.linalg.norm(array, axis=1)
    if not np.isfinite(norms).all():
        raise InputError("embeddings hold NaN or infinity")
    # A blank text has a row of zeros.
    if wrong := int(np.count_nonzero((np.abs(norms - 1) > 1e-2) & (norms > 0))):
        raise InputError(f"{wrong} of {len(array)} embeddings are not of unit length; divide each by its norm")
    return array


def warn(report: TextReport) -> None:
    """Log what the encoder saw in the texts."""
    for line in report.lines():
        logger.warning(line.replace("on_truncation='chunk' reads them whole", "an index with --chunk reads them whole"))
