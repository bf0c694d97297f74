"""How long 100,000 texts take from embeddings to a map, and how much memory.

    python benchmarks/topic_speed.py reviews.txt --rows 100000 --model ko-sbert-small --embeddings reviews.npy

The embeddings are made first if their file is not there (that time is said apart). Seconds are wall time and
processor time: on a machine with other work only the second compares.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from ko_sentence_transformers import load_model
from ko_sentence_transformers.clustering import Settings
from ko_sentence_transformers.topics import Texts, embed, make_topics


def main() -> None:
    """Print the seconds of each step and the peak of the memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="one text a line, may be gzipped")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--model", default="ko-sbert-small")
    parser.add_argument("--embeddings", type=Path, required=True)
    parser.add_argument("--k", type=int)
    arguments = parser.parse_args()
    opened = gzip.open if arguments.file.suffix == ".gz" else open
    with opened(arguments.file, "rt", encoding="utf-8") as stream:
        texts = [line.rstrip("\n") for line in stream][: arguments.rows]
    if not arguments.embeddings.exists():
        began = time.perf_counter()
        np.save(arguments.embeddings, embed(load_model(arguments.model), texts))
        print(f"encoding {time.perf_counter() - began:.0f} s (not counted)", flush=True)
    embeddings = np.load(arguments.embeddings)[: len(texts)]
    rows = Texts(tuple(map(str, range(len(texts)))), tuple(texts), (None,) * len(texts))

    began, worked, last = time.perf_counter(), time.process_time(), ""

    def step(name: str) -> None:
        nonlocal last
        if last:
            print(
                f"  {last}: until {time.perf_counter() - began:.0f} s, {time.process_time() - worked:.0f} s CPU",
                flush=True,
            )
        last = name

    made = make_topics(rows, embeddings, settings=Settings(k=arguments.k), step=step)
    step("writing")
    with tempfile.TemporaryDirectory() as folder:
        made.save(Path(folder) / "topics")
        size = (Path(folder) / "topics" / "map.html").stat().st_size
    step("done")
    print(
        f"{len(texts)} texts, dim {embeddings.shape[1]}: {len(made.topics)} topics, stability {made.about['stability']}"
    )
    print(f"wall {time.perf_counter() - began:.0f} s, CPU {time.process_time() - worked:.0f} s")
    print(
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB, map.html {size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
