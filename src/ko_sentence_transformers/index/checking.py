"""Is an index what it says it is? Its file, rows, words, vectors and model, compared with each other."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from ..encoding import Encoder
from ..errors import IndexFolderError, MissingExtraError, ModelError
from ..records import Record
from . import ann, binding
from .lexical import joined
from .store import Store

_SAMPLE = 200
# An int8 code scores its own float32 embedding within this of 1.
_CODE = 0.05


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an index, and what to do about it."""

    what: str
    repair: str

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as JSON types."""
        return asdict(self)


def check(folder: str | Path, *, load: Callable[[str], Encoder] | None = None) -> tuple[Problem, ...]:
    """Compare what an index holds, without changing it; return what is wrong, nothing if all is well.

    The file, the rows and the vector file are read whole; words are analysed again and codes compared for a sample.

    :param load: loads the index's model by its name, whose embedding of a probe must be the one the index keeps.
    :raises IndexFolderError: if there is no index, or it cannot be opened at all.
    """
    folder = Path(folder)
    compact = f"ko-st index compact {folder}"
    again = f"restore a copy of {folder}, or build it again"
    with closing(Store.open(folder)) as store:
        with store.reading() as connection:
            complete = store.meta("complete")
            # Rows are the truth; words and vectors are made from them again.
            broken = list(_file(connection)) or list(_rows(store))
            derived = [] if broken else list(_vectors(store))
        derived += [] if broken else words(store)
        found = [Problem(what, again) for what in broken] + [Problem(what, compact) for what in derived]
        if not complete:
            found.append(Problem("the build was cut off", f"run it again: ko-st index build INPUT --index {folder}"))
        if load is not None and store.meta("model"):
            found += _model(store, load)
    return tuple(found)


def _model(store: Store, load: Callable[[str], Encoder]) -> Iterator[Problem]:
    name = store.meta("model")
    try:
        binding.check(store, load(name))
    except ModelError as error:
        yield Problem(f"its model cannot be loaded: {error}", f"give the folder of {name} with --model")
    except IndexFolderError as error:
        what, _, repair = str(error).partition("; ")
        yield Problem(what, repair)


def _file(connection: sqlite3.Connection) -> Iterator[str]:
    """Read every page of the file."""
    try:
        lines = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    except sqlite3.DatabaseError as error:
        lines = [str(error)]
    # Newer versions of SQLite look into the words as well, for which there is a repair.
    if lines := [line for line in lines if line != "ok" and "FTS5" not in line]:
        yield f"index.sqlite is damaged: {' '.join(' '.join(lines).split())[:200]}"


def _rows(store: Store) -> Iterator[str]:
    run, dim = store.connection.execute, int(store.meta("dim"))
    counts = {
        "documents without a chunk": "document WHERE doc NOT IN (SELECT doc FROM chunk)",
        "chunks without a document": "chunk WHERE doc NOT IN (SELECT doc FROM document)",
        f"embeddings that do not have {dim} numbers": f"chunk WHERE length(embedding) != {4 * dim}",
    }
    for what, source in counts.items():
        if number := run(f"SELECT count(*) FROM {source}").fetchone()[0]:
            yield f"{number} {what}"
            return  # the other comparisons rest on these
    if (counted := store.count("chunk")) != store.meta("chunks"):
        yield f"the index says {store.meta('chunks')} chunks and holds {counted}"
    wrong = 0
    for _, vectors in ann.blocks(store.connection, dim):
        norms = np.linalg.norm(vectors, axis=1)
        wrong += int(np.count_nonzero(~((np.abs(norms - 1) < 1e-2) | (norms == 0))))
    if wrong:
        yield f"{wrong} embeddings are not of unit length"


def words(store: Store) -> Iterator[str]:
    """Yield what is wrong with the words."""
    if store.writable and (broken := store.broken_words()):
        yield f"the full-text index is damaged: {broken}"
        return
    with store.reading() as connection:
        run = connection.execute
        # The table's own rows, not its texts: nothing but their numbers is read.
        missing = run("SELECT count(*) FROM chunk WHERE chunk NOT IN (SELECT id FROM words_docsize)").fetchone()[0]
        left = run("SELECT count(*) FROM words_docsize WHERE id NOT IN (SELECT chunk FROM chunk)").fetchone()[0]
        rows = run(
            "SELECT substr(d.text, c.start + 1, c.stop - c.start), d.metadata, w.terms FROM chunk c "
            f"JOIN document d USING (doc) JOIN words w ON w.rowid = c.chunk WHERE c.chunk IN ({_sampled(store)})"
        ).fetchall()
    if missing or left:
        yield f"{missing} chunks have no words, {left} words have no chunk"
    try:
        analyser = binding.analyser(store)
    except (IndexFolderError, MissingExtraError) as error:
        yield str(error).partition("; ")[0]
        return
    passages = [Record("", text, json.loads(metadata)).passage for text, metadata, _ in rows]
    fresh = [joined(terms) for terms in analyser.terms(passages)]
    if wrong := sum(new != row[2] for new, row in zip(fresh, rows, strict=True)):
        yield f"the words of {wrong} of {len(rows)} chunks looked at are not those of their texts"


def _vectors(store: Store) -> Iterator[str]:
    named = ann.facts(store)
    if named is None:
        return
    if wrong := ann.check(store.folder, named):
        yield f"{named.file} {wrong}"
        return
    index = ann.load(store.folder, named)
    held = _held(index)
    rows = store.connection.execute("SELECT chunk FROM chunk WHERE chunk <= ? ORDER BY chunk", (named.covers,))
    expected = np.fromiter((row[0] for row in rows), np.int64)
    if len(held) != len(np.unique(held)):
        yield f"{named.file} holds {len(held) - len(np.unique(held))} chunks twice"
    if absent := int(np.count_nonzero(~np.isin(expected, held))):
        yield f"{named.file} lacks {absent} of the {len(expected)} chunks it should hold"
        return
    sample = store.connection.execute(
        f"SELECT chunk, embedding FROM chunk WHERE chunk <= {named.covers} AND chunk IN ({_sampled(store)})"
    ).fetchall()
    ids, vectors = ann.unpacked(sample, int(store.meta("dim")))
    far = sum(abs(_code(index, int(chunk), vector) - 1) > _CODE for chunk, vector in zip(ids, vectors, strict=True))
    if far:
        yield f"{named.file} holds other embeddings for {far} of {len(ids)} chunks looked at"


def _held(index: Any) -> NDArray[np.int64]:
    """Return the chunks in the cells of the file."""
    faiss = require("faiss", extra="search")
    lists = index.invlists
    sizes = [lists.list_size(cell) for cell in range(index.nlist)]
    parts = [faiss.rev_swig_ptr(lists.get_ids(cell), size).copy() for cell, size in enumerate(sizes) if size]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _code(index: Any, chunk: int, vector: NDArray[np.float32]) -> float:
    """Return the score of a row with its own code; 1 for a blank text, which has no direction."""
    if not vector.any():
        return 1.0
    faiss = require("faiss", extra="search")
    only = faiss.IDSelectorRange(chunk, chunk + 1)
    settings = faiss.SearchParametersIVF(nprobe=index.nlist, sel=only)
    scores, ids = index.search(vector[None], 1, params=settings)
    return float(scores[0, 0]) if ids[0, 0] == chunk else 0.0


def _sampled(store: Store) -> str:
    """Return SQL for chunks spread evenly over the index, the same each time."""
    last = int(store.connection.execute("SELECT max(chunk) FROM chunk").fetchone()[0] or 0)
    return ", ".join(str(int(chunk)) for chunk in np.unique(np.linspace(1, max(1, last), _SAMPLE).astype(int)))
