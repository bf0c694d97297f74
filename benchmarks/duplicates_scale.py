"""Near-duplicates among a million embeddings: time, memory, how many of those put in are found, the same each time.

    python benchmarks/duplicates_scale.py --rows 1000000

The embeddings are those of search_speed.py; a twentieth of them are copies of others with some noise, at a cosine of
0.92 to 0.99. A copy is found if it is in a group with its original. The digest is of all groups: the
same in every run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from ko_sentence_transformers import mining
from search_speed import BLOCK, QUERIES, vectors


def inject(path: Path, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Overwrite a twentieth of the rows with noisy copies of others; return copies and originals."""
    rng = np.random.default_rng(5)
    chosen = rng.permutation(rows)[: 2 * (rows // 20)]
    copies, originals = np.sort(chosen[: rows // 20]), chosen[rows // 20 :]
    data = np.load(path, mmap_mode="r+")
    for start in range(0, len(copies), BLOCK):
        part = slice(start, start + BLOCK)
        source = data[originals[part]]
        noise = rng.standard_normal(source.shape, np.float32)
        noise -= np.sum(noise * source, axis=1, keepdims=True) * source
        cosine = rng.uniform(0.92, 0.99, (len(source), 1)).astype(np.float32)
        noise *= np.sqrt(1 - cosine**2) / np.linalg.norm(noise, axis=1, keepdims=True)
        data[copies[part]] = cosine * source + noise
    data.flush()
    return copies, originals


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--threshold", type=float, default=0.9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        vectors(options.rows, options.dim, path)
        copies, originals = inject(path, options.rows)
        embeddings = np.load(path, mmap_mode="r")[:-QUERIES]
        started, worked = time.perf_counter(), time.process_time()
        found = mining.duplicates(embeddings, range(options.rows), threshold=options.threshold)
        seconds, processor = time.perf_counter() - started, time.process_time() - worked
        # A map of a file counts as resident; what the process holds of its own does not depend on it.
        status = Path("/proc/self/status").read_text()
        own = int(status.split("RssAnon:")[1].split()[0]) / 1024
        del embeddings
    group = np.full(options.rows, -1)
    for number, members in enumerate(found.groups):
        group[list(members)] = number
    together = (group[copies] == group[originals]) & (group[copies] >= 0)
    print(json.dumps({
        "rows": options.rows, "groups": len(found.groups), "dropped": round(found.ratio, 4),
        "copies_found": round(float(together.mean()), 4), "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1), "own_memory_mb": round(own),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "digest": hashlib.sha256(repr(found.groups).encode()).hexdigest()[:16],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
