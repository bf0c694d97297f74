"""The approximate index: cells of int8 vectors (FAISS IVF) in one file that is derived from the rows.

The file is never changed in place: a new one is written beside it, then the rows name the new one, so that a
reader keeps what it has open and a killed writer leaves the old one valid. Rows younger than the file are
searched exactly (see :mod:`.vectors`), deleted ones are dropped when their rows are looked up.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import require
from .._files import explain, sha256
from ..errors import IndexFolderError
from .store import Store

logger = logging.getLogger(__name__)

# Below this many numbers (50,000 x 256) an exact search takes a few milliseconds and no file is kept.
EXACT_NUMBERS = 12_800_000
# A tail larger than this share of the file is folded into it; rows grown this often over train it anew.
TAIL_SHARE, RETRAIN = 0.1, 4
PROBES = 32
_PATTERN = "vectors-*.faiss"
_BLOCK = 16_384
_TRAIN_PER_CELL, _TRAIN_ROUNDS, _SEED = 40, 8, 7


@dataclass(frozen=True)
class AnnFile:
    """What the rows know about the file: its name and content, and which chunks it holds.

    :ivar covers: every chunk up to this one was in the rows when the file was written.
    :ivar trained: rows there were when the cells were learned.
    :ivar probes: cells that a query looks into; chosen by ``tune``.
    """

    file: str
    size: int
    sha256: str
    covers: int
    rows: int
    trained: int
    cells: int
    probes: int = PROBES


def facts(store: Store) -> AnnFile | None:
    """Return what the rows say about the file, inside a transaction; ``None`` while search is exact."""
    found = store.meta("ann")
    return AnnFile(**found) if found else None


def check(folder: Path, ann: AnnFile) -> str | None:
    """Return what is wrong with the file, or ``None``."""
    path = folder / ann.file
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != ann.size:
        return f"has {path.stat().st_size} bytes instead of {ann.size}"
    return None if sha256(path) == ann.sha256 else "does not have the content that was written"


def load(folder: Path, ann: AnnFile) -> Any:
    """Open the file memory-mapped: pages come in as queries touch them and are shared between processes."""
    faiss = require("faiss", extra="search")
    return faiss.read_index(str(folder / ann.file), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)


def maintain(folder: Path, *, rebuild: bool = False) -> AnnFile | None:
    """Build, extend or rebuild the file where the rows have outgrown it; others may search and write meanwhile.

    :param rebuild: make it anew from the rows, without what was deleted.
    """
    if importlib.util.find_spec("faiss") is None:
        logger.info("faiss is not installed (extra search): every search of %s is exact", folder)
        return None
    with closing(Store.open(folder)) as store:
        with store.reading() as connection:
            old = facts(store)
            dim, total = int(store.meta("dim")), int(store.meta("chunks"))
            last = int(connection.execute("SELECT max(chunk) FROM chunk").fetchone()[0] or 0)
            if total * dim < EXACT_NUMBERS and (old is None or rebuild):
                index = None
            elif old is None or rebuild or total >= RETRAIN * old.trained:
                index, trained, start = _train(connection, total, dim), total, 0
            elif last - old.covers <= max(TAIL_SHARE * old.rows, _BLOCK):  # deleted rows count, which is no harm
                return old
            else:
                faiss = require("faiss", extra="search")
                index, trained, start = faiss.read_index(str(folder / old.file)), old.trained, old.covers
            if index is not None:
                for ids, vectors in blocks(connection, dim, after=start):
                    index.add_with_ids(vectors, ids)
        if index is None:
            return old if old is None else _name(store, None, old)
        probes = old.probes if old else PROBES
        return _name(store, _write(folder, index, covers=last, trained=trained, probes=probes), old)


def blocks(
    connection: sqlite3.Connection, dim: int, *, after: int = 0
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield ``(ids (n,), embeddings (n, dim))`` of the chunks after a chunk, in order.

    :raises IndexFolderError: for an embedding that does not have ``dim`` numbers.
    """
    rows = connection.execute("SELECT chunk, embedding FROM chunk WHERE chunk > ? ORDER BY chunk", (after,))
    while block := rows.fetchmany(_BLOCK):
        yield unpacked(block, dim)


def unpacked(block: list[Any], dim: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return ids and embeddings of ``(chunk, embedding)`` rows."""
    ids = np.fromiter((row[0] for row in block), np.int64, len(block))
    if wrong := next((row[0] for row in block if len(row[1]) != 4 * dim), None):
        raise IndexFolderError(f"the embedding of chunk {wrong} is damaged; restore a copy or build the index again")
    return ids, np.frombuffer(b"".join(row[1] for row in block), "<f4").reshape(len(block), dim)


def _train(connection: sqlite3.Connection, total: int, dim: int) -> Any:
    faiss = require("faiss", extra="search")
    # Learning and filling cost rows x cells, a query cells + rows / cells for each cell it looks into.
    cells = max(1, min(int(2 * math.sqrt(total)), total // _TRAIN_PER_CELL))
    # Every n-th row: spread over the whole index, and the same each time.
    step = max(1, total // (cells * _TRAIN_PER_CELL))
    sample = np.concatenate([vectors[::step] for _, vectors in blocks(connection, dim)])
    index = faiss.index_factory(dim, f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.seed = _TRAIN_ROUNDS, _SEED
    logger.info("learning %d cells from %d of %d vectors", cells, len(sample), total)
    index.train(sample)
    return index


def _write(folder: Path, index: Any, *, covers: int, trained: int, probes: int) -> AnnFile:
    faiss = require("faiss", extra="search")
    name = f"vectors-{covers}-{os.urandom(4).hex()}.faiss"
    aside = folder / f".{name}.tmp"
    try:
        try:
            faiss.write_index(index, str(aside))
        except RuntimeError as error:  # FAISS has no other word for a full disk
            raise OSError(28, "the vector file could not be written (disk full?)") from error
        with aside.open("rb+") as stream:
            os.fsync(stream.fileno())
        digest, size = sha256(aside), aside.stat().st_size
        aside.replace(folder / name)
    except OSError as error:
        raise explain(error, folder / name) from error
    finally:
        aside.unlink(missing_ok=True)
    return AnnFile(name, size, digest, covers, int(index.ntotal), trained, int(index.nlist), min(probes, index.nlist))


def _name(store: Store, new: AnnFile | None, old: AnnFile | None) -> AnnFile | None:
    """Make the rows name the new file, unless another writer was faster, and remove what nobody names."""
    with store.writing():
        current = facts(store)
        if current == old:
            store.set_meta(ann=asdict(new) if new else None)
            store.set_meta(generation=store.meta("generation") + 1)
            current = new
    for path in [*store.folder.glob(_PATTERN), *store.folder.glob(f".{_PATTERN}.tmp")]:
        if current is None or path.name != current.file:
            path.unlink(missing_ok=True)
    return current
