"""Start-up time and memory of the plain install, as a user meets them.

python benchmarks/footprint.py --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIMILARITY = [sys.executable, "-m", "ko_sentence_transformers", "similarity", "밥 먹었어?", "식사하셨나요?"]
IMPORTS = [sys.executable, "-c", "import openvino, tokenizers"]


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def cold_start(rounds: int) -> dict[str, float]:
    seconds(SIMILARITY)  # the first call ever compiles the network; users repeat it
    pairs = [(seconds(SIMILARITY), seconds(IMPORTS)) for _ in range(rounds)]
    return {
        "similarity_seconds": round(statistics.median(a for a, _ in pairs), 2),
        "imports_seconds": round(statistics.median(b for _, b in pairs), 2),
        "ratio": round(statistics.median(a / b for a, b in pairs), 2),
    }


def bulk_memory(rows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder) / "texts.txt"
        with texts.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{number}번 글\n" for number in range(rows))
        start = time.perf_counter()
        command = [sys.executable, "-m", "ko_sentence_transformers", "encode", str(texts)]
        subprocess.run([*command, "-o", str(Path(folder) / "out.npy")], check=True, capture_output=True)
        wall = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    return {"rows": rows, "peak_resident_mb": round(peak), "seconds": round(wall)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    report = {"cold_start": cold_start(arguments.rounds)}
    if arguments.rows:
        report["bulk"] = bulk_memory(arguments.rows)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
