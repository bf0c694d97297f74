"""Who may import whom: only downward, and nothing heavy at the top of a module that is always loaded."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ko_sentence_transformers

PACKAGE = Path(ko_sentence_transformers.__file__).parent
# A module may import from its own layer or a lower one.
LAYERS: list[set[str]] = [
    {"errors", "_extras", "_files", "text", "records", "morphemes", "packing", "metrics"},
    {"registry", "hub", "engines", "pooling", "static_table", "model_folder"},
    {"encoding"},
    {"model", "restore", "vector_file", "retrieval", "diagnosis"},
]
HEAVY = {
    "torch", "transformers", "sentence_transformers", "datasets", "accelerate",
    "openvino", "onnxruntime", "onnx", "nncf",
    "tokenizers", "kiwipiepy", "sklearn", "umap", "evoc", "faiss", "usearch", "matplotlib", "pyarrow", "scipy",
}  # fmt: skip
# Modules that subclass what they import; they are themselves imported inside functions only.
ON_DEMAND = {"training/trainer.py", "training/relations.py"}
SURFACES = {"cli", "__main__", "server"}


def imports(path: Path, *, top_only: bool) -> list[tuple[str, int]]:
    """Return ``(first part of the imported module, level)`` of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    found: list[tuple[str, int]] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(alias.name.split(".")[0], 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += (
                [((node.module or "").split(".")[0], node.level)]
                if node.module
                else [(alias.name, node.level) for alias in node.names]
            )
    return found


def top_level_name(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_downward(path: Path) -> None:
    own = top_level_name(path)
    if own in SURFACES or own == "__init__":
        return
    layer = next((i for i, names in enumerate(LAYERS) if own in names), len(LAYERS))
    depth = len(path.relative_to(PACKAGE).parts)
    for name, level in imports(path, top_only=False):
        if level < depth:  # within its own folder, or another package
            continue
        assert name not in SURFACES, f"{own} imports the surface {name}"
        above = next((i for i, names in enumerate(LAYERS) if name in names), len(LAYERS))
        assert above <= layer, f"{own} imports {name}, which stands above it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_heavy_at_the_top(path: Path) -> None:
    if str(path.relative_to(PACKAGE)) in ON_DEMAND:
        return
    heavy = {name for name, level in imports(path, top_only=True) if level == 0} & HEAVY
    assert not heavy, f"import {', '.join(heavy)} inside the function that needs it"


@pytest.mark.parametrize("statement", ["import ko_sentence_transformers", "import ko_sentence_transformers.cli.app"])
def test_import_is_light(statement: str) -> None:
    code = f"import sys; {statement}; print(sorted(set({sorted(HEAVY)!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_sorted_and_there() -> None:
    names = ko_sentence_transformers.__all__
    assert names == sorted(names)
    for name in names:
        assert getattr(ko_sentence_transformers, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ko_sentence_transformers.nothing  # noqa: B018
