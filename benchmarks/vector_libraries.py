"""The candidates for the index's vector file, by build, size, speed and recall, on the same vectors in one run.

    pip install usearch faiss-cpu
    python benchmarks/vector_libraries.py --rows 100000

Each holds int8 codes; the ten best of thirty candidates are taken after scoring with the float32 vectors, as the index
does. Adding a tenth more rows is timed too. One thread a query. See search_speed.py for the vectors.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss  # before usearch: the other way round, faiss crashes
import numpy as np

from search_speed import QUERIES, timed, truth, vectors

CANDIDATES = 30
Search = Callable[[np.ndarray], np.ndarray]


def usearch_index(matrix: np.ndarray, path: Path) -> Iterator[tuple[str, Any]]:
    """Build USearch's graph: add to it, save it, search it memory-mapped."""
    from usearch.index import Index

    index = Index(ndim=matrix.shape[1], metric="cos", dtype="i8", connectivity=16, expansion_add=96)
    first = int(len(matrix) / 1.1)
    index.add(np.arange(first), matrix[:first], threads=2)
    yield "built", None
    index.add(np.arange(first, len(matrix)), matrix[first:], threads=2)
    yield "added", None
    index.save(str(path))
    view = Index.restore(str(path), view=True)
    for expansion in (64, 128, 256):
        view.expansion_search = expansion
        yield f"expansion {expansion}", lambda query: view.search(query, CANDIDATES).keys.astype(np.int64)


def faiss_index(matrix: np.ndarray, path: Path, recipe: str, looks: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """Build an index of FAISS by its recipe."""
    faiss.omp_set_num_threads(2)
    index = faiss.index_factory(matrix.shape[1], recipe, faiss.METRIC_INNER_PRODUCT)
    graph = recipe.startswith("HNSW")
    if graph:
        index.hnsw.efConstruction = 96
    else:
        index.cp.niter = 8
    first = int(len(matrix) / 1.1)
    index.train(matrix[: 40 * 1264])
    index.add(matrix[:first])
    yield "built", None
    index.add(matrix[first:])
    yield "added", None
    faiss.write_index(index, str(path))
    view = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    faiss.omp_set_num_threads(1)
    for look in looks:
        if graph:
            view.hnsw.efSearch = look
        else:
            view.nprobe = look
        yield f"{'ef' if graph else 'probes'} {look}", lambda query: view.search(query[None], CANDIDATES)[1][0]


def rescored(search: Search, matrix: np.ndarray) -> Callable[[np.ndarray], list[int]]:
    """Score candidates exactly and keep the ten best."""

    def best(query: np.ndarray) -> list[int]:
        ids = search(query)
        ids = ids[ids >= 0]
        return ids[np.argsort(-(matrix[ids] @ query))[:10]].tolist()

    return best


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=256)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vectors(options.rows, options.dim, folder / "data.npy")
        data = np.load(folder / "data.npy")
        matrix, queries = data[:-QUERIES], data[-QUERIES:]
        exact = truth(data, options.rows)
        cells = int(4 * np.sqrt(options.rows))
        contenders = {
            "usearch HNSW,i8": usearch_index(matrix, folder / "usearch"),
            "graph HNSW16,SQ8 (faiss)": faiss_index(matrix, folder / "graph", "HNSW16,SQ8", (64, 128, 256)),
            f"cells IVF{cells},SQ8 (faiss)": faiss_index(matrix, folder / "cells", f"IVF{cells},SQ8", (8, 16, 32)),
        }
        for contender, steps in contenders.items():
            start = time.perf_counter()
            out: dict[str, Any] = {}
            for step, search in steps:
                if search is None:
                    out[f"{step}_s"] = round(time.perf_counter() - start, 1)
                    start = time.perf_counter()
                else:
                    out["file_mb"] = round((folder / contender.split()[0]).stat().st_size / 1e6, 1)
                    out[step] = timed(rescored(search, matrix), queries, exact)
            print(json.dumps({contender: out}), flush=True)


if __name__ == "__main__":
    main()
