"""Speed and recall of the search index beside faiss-cpu HNSW and plain numpy, on the same vectors, in one run.

    python benchmarks/search_speed.py --rows 1000000 --dim 256 --folder FOLDER

What lies in the folder already (vectors, an index) is used again, not built again. The vectors are synthetic but
shaped as embeddings are: topics of very different sizes with subtopics, most of the variance in few directions, a
common offset (unrelated texts have a cosine far above 0), then a rotation; the texts are those of composed_texts.py.
Each engine runs in a process of its own, one thread a query, after the others have ended. Beside the time on the
clock stands the processor's: on a machine that others use only that can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from composed_texts import texts
from ko_sentence_transformers.index import Mode, SearchIndex, exists
from ko_sentence_transformers.records import Record

QUERIES, NEAREST = 500, 10
BLOCK = 50_000
ENGINES = ("ours-build", "ours", "numpy", "faiss-hnsw")


def vectors(rows: int, dim: int, path: Path) -> None:
    """Write ``rows`` unit vectors and after them the queries, drawn from the same topics."""
    rng = np.random.default_rng(0)
    spectrum = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    topics = max(20, rows // 2000)
    share = rng.pareto(1.2, topics) + 1
    centres = rng.standard_normal((topics, dim), np.float32) * spectrum
    subtopics = 0.7 * rng.standard_normal((topics, 10, dim), np.float32) * spectrum
    rotation = np.linalg.qr(rng.standard_normal((dim, dim)))[0].astype(np.float32)
    out = np.lib.format.open_memmap(path, "w+", np.float32, (rows + QUERIES, dim))
    for start in range(0, len(out), BLOCK):
        count = min(BLOCK, len(out) - start)
        topic = rng.choice(topics, count, p=share / share.sum())
        block = centres[topic] + subtopics[topic, rng.integers(0, 10, count)]
        block = block + 0.8 * rng.standard_normal((count, dim), np.float32) * spectrum + 0.3 * spectrum.mean()
        block = block @ rotation
        out[start : start + count] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()


def truth(data: np.ndarray, rows: int) -> np.ndarray:
    """Return the exact ten nearest rows of each query, ``(QUERIES, 10)``."""
    queries = np.asarray(data[rows:])
    ids = np.empty((QUERIES, 0), np.int64)
    scores = np.empty((QUERIES, 0), np.float32)
    for start in range(0, rows, BLOCK):
        near = queries @ data[start : min(rows, start + BLOCK)].T
        top = np.argpartition(-near, NEAREST, axis=1)[:, :NEAREST]
        ids = np.concatenate([ids, top + start], axis=1)
        scores = np.concatenate([scores, np.take_along_axis(near, top, 1)], axis=1)
        best = np.argsort(-scores, axis=1)[:, :NEAREST]
        ids, scores = np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1)
    return ids


def timed(search, queries: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """Run each query once and return recall@10 and milliseconds on the clock and of the processor."""
    search(queries[0])
    times, worked, found = [], [], 0
    for query, nearest in zip(queries, exact, strict=True):
        start, begun = time.perf_counter(), time.process_time()
        ids = search(query)
        times.append((time.perf_counter() - start) * 1e3)
        worked.append((time.process_time() - begun) * 1e3)
        found += len(set(ids) & set(nearest.tolist()))
    return {
        "recall@10": round(found / exact.size, 4),
        "p50_ms": round(float(np.percentile(times, 50)), 2),
        "p95_ms": round(float(np.percentile(times, 95)), 2),
        "p50_processor_ms": round(float(np.percentile(worked, 50)), 2),
    }


def resident_mb() -> float:
    """Return the memory of this process that is not shared file pages."""
    status = Path("/proc/self/status").read_text()
    return round(int(status.split("RssAnon:")[1].split()[0]) / 1024, 1)


def run_numpy(data: np.ndarray, rows: int, exact: np.ndarray, folder: Path) -> dict[str, object]:
    """Compare every row with the query."""
    matrix = np.array(data[:rows])

    def search(query: np.ndarray) -> list[int]:
        scores = matrix @ query
        top = np.argpartition(-scores, NEAREST)[:NEAREST]
        return top.tolist()

    few = slice(0, 50)
    return {"memory_mb": resident_mb(), **timed(search, data[rows:][few], exact[few])}


def run_faiss(data: np.ndarray, rows: int, exact: np.ndarray, folder: Path) -> dict[str, object]:
    """Build a graph of float32 vectors and look as far as recall 0.95 needs."""
    import faiss

    start, begun = time.perf_counter(), time.process_time()
    index = faiss.IndexHNSWFlat(data.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 64
    for at in range(0, rows, BLOCK):
        index.add(np.ascontiguousarray(data[at : min(rows, at + BLOCK)]))
    built = time.perf_counter() - start
    faiss.omp_set_num_threads(1)
    worked = time.process_time() - begun
    out: dict[str, object] = {"build_s": round(built, 1), "build_processor_s": round(worked, 1)}
    out["memory_mb"] = resident_mb()
    for ef in (32, 64, 128, 256):
        index.hnsw.efSearch = ef
        figures = timed(lambda query: index.search(query[None], NEAREST)[1][0].tolist(), data[rows:], exact)
        out |= {"ef": ef, **figures}
        if figures["recall@10"] >= 0.95:
            break
    return out


def run_build(data: np.ndarray, rows: int, exact: np.ndarray, folder: Path) -> dict[str, object]:
    """Build the index through the calls of a user: rows, words, fields and vectors."""
    if exists(folder / "index"):
        return {"build": "was there"}
    records = (Record(str(i), text, {"group": i % 100, "rare": i % 10_000}) for i, text in enumerate(texts(rows)))
    start, begun = time.perf_counter(), time.process_time()
    with SearchIndex.create(folder / "index", dim=data.shape[1]) as index:
        index.add(records, embeddings=data[:rows])
    seconds, worked = time.perf_counter() - start, time.process_time() - begun
    return {"build_s": round(seconds, 1), "build_processor_s": round(worked, 1), "memory_mb": resident_mb()}


def run_ours(data: np.ndarray, rows: int, exact: np.ndarray, folder: Path) -> dict[str, object]:
    """Search the index as a new process does; embeddings are given, so no model's time is in the figures."""
    queries = data[rows:]
    asked = [" ".join(text.split()[:4]) for text in texts(200, seed=99)]
    sizes = {path.name.split("-")[0].split(".")[0]: path.stat().st_size for path in (folder / "index").iterdir()}
    out: dict[str, object] = {f"{name}_file_mb": round(size / 1e6, 1) for name, size in sizes.items()}
    before = resident_mb()
    start = time.perf_counter()
    with SearchIndex.open(folder / "index") as index:
        out["open_s"] = round(time.perf_counter() - start, 2)
        tuning = index.tune(recall=0.95)
        out["probes"] = tuning.chosen.probes if tuning.chosen else None

        def search(query: np.ndarray, text: str = "가", mode: Mode = "dense", where: str | None = None) -> list[int]:
            hits = index.search(text, NEAREST, embedding=query, mode=mode, where=where)
            return [int(hit.id) for hit in hits]

        out["dense"] = timed(search, queries, exact)
        out["memory_mb"] = round(resident_mb() - before, 1)
        few = queries[:100]
        unknown = np.full((len(few), NEAREST), -1)
        for name, where, step in (("1%", "group = 7", 100), ("0.01%", "rare = 77", 10_000)):
            first = 7 if step == 100 else 77
            matrix = np.asarray(data[first:rows:step])
            true = np.stack([first + step * np.argsort(-(matrix @ query))[:NEAREST] for query in few])
            fewest = min(len(search(query, where=where)) for query in few)
            figures = timed(lambda query, where=where: search(query, where=where), few, true)
            out[f"filter {name}"] = {"fewest_hits": fewest, **figures}
        mode: Mode
        for mode, where in (("lexical", None), ("hybrid", None), ("hybrid", "group = 7"), ("hybrid", "group < 10")):
            each = iter([asked[0], *asked])  # every query is new; timed() asks the first of them twice
            figures = timed(lambda query: search(query, next(each), mode, where), few, unknown)  # noqa: B023
            del figures["recall@10"]
            out[f"{mode} {where or ''}".strip()] = figures
        out["memory_with_words_mb"] = round(resident_mb() - before, 1)
    return out


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--folder", type=Path, help="where vectors and index stay (a temporary folder by default)")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, help="all by default")
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        data = np.load(options.folder / "vectors.npy", mmap_mode="r")
        exact = np.load(options.folder / "truth.npy")
        run = {"numpy": run_numpy, "faiss-hnsw": run_faiss, "ours-build": run_build, "ours": run_ours}[options.engine]
        print(json.dumps(run(data, options.rows, exact, options.folder)))
        return
    folder = options.folder or Path(tempfile.mkdtemp(prefix="search-speed-"))
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "truth.npy").exists():
        vectors(options.rows, options.dim, folder / "vectors.npy")
        data = np.load(folder / "vectors.npy", mmap_mode="r")
        np.save(folder / "truth.npy", truth(data, options.rows))
    print(json.dumps({"rows": options.rows, "dim": options.dim, "cores": len(os.sched_getaffinity(0))}), flush=True)
    for engine in options.engines:
        command = [sys.executable, __file__, "--engine", engine, "--rows", str(options.rows), "--folder", str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(json.dumps({engine: json.loads(done.stdout.splitlines()[-1])}), flush=True)
    if options.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
