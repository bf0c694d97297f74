"""Whether other readers load what `ko-st export --to portable` writes, and return the same vectors.

    python benchmarks/portable_readers.py MODEL --reader st3/bin/python --reader fe/bin/python

Each reader is the Python of an environment of its own, with sentence-transformers (any version from 3) or fastembed:

    python -m venv st3 && st3/bin/pip install 'sentence-transformers>=3,<4'
    python -m venv fe && fe/bin/pip install fastembed

The folder is exported once; each environment encodes the same texts from it, with its own code only, and the
vectors are compared with ours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ko_sentence_transformers import load_model
from ko_sentence_transformers.export import export_model
from ko_sentence_transformers.export.sentences import PROBE

# Run by the other environments: no import of ours. Prints {"reader", "vectors"} as its last line.
READ = """
import importlib.metadata as metadata, json, sys
folder, texts = sys.argv[1], json.loads(sys.argv[2])
try:
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(folder, device="cpu", local_files_only=True)
    assert model.prompts, "the prompts are lost"
    assert model.max_seq_length, "the length limit is lost"
    vectors = model.encode(texts, normalize_embeddings=True)
    name = "sentence-transformers"
except ImportError:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType
    pooling = json.load(open(f"{folder}/1_Pooling/config.json"))
    kind = PoolingType.CLS if pooling["pooling_mode_cls_token"] else PoolingType.MEAN
    width, source = pooling["word_embedding_dimension"], ModelSource(hf="local/model")
    TextEmbedding.add_custom_model("local/model", kind, True, source, width, model_file="onnx/model.onnx")
    model = TextEmbedding("local/model", specific_model_path=folder)
    vectors = list(model.embed(texts))
    name = "fastembed"
print()
print(json.dumps({"reader": f"{name} {metadata.version(name)}", "vectors": [[float(x) for x in v] for v in vectors]}))
"""


def read(python: str, folder: Path, texts: list[str]) -> tuple[str, np.ndarray]:
    """Return the reader's name and version, and the vectors that it makes of the texts."""
    command = [python, "-c", READ, str(folder), json.dumps(texts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise SystemExit(f"{python} does not read {folder}:\n{done.stderr[-2000:]}")
    document = json.loads(done.stdout.splitlines()[-1])
    return document["reader"], np.asarray(document["vectors"], dtype=np.float32)


def main() -> None:
    """Export, read with each environment, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a shipped name or a model folder")
    parser.add_argument("--reader", action="append", default=[], metavar="PYTHON", help="an environment's interpreter")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "portable"
        export_model(arguments.model, folder, to="portable")
        texts = list(PROBE)
        ours = load_model(folder).encode(texts)
        failed = False
        for python in arguments.reader:
            reader, vectors = read(str(Path(python).absolute()), folder, texts)
            cosine = float((vectors * ours).sum(axis=1).min())
            failed |= cosine < 0.9999
            print(f"{reader}: {len(vectors)} vectors, worst cosine to ours {cosine:.6f}")
    if failed:
        raise SystemExit("vectors differ")


if __name__ == "__main__":
    main()
