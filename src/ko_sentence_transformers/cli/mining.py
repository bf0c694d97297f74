"""``ko-st duplicates`` and ``ko-st paraphrases``: texts of a file that say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options as opt
from .output import Json, emit, progress

Input = Annotated[str, typer.Argument(help="A .jsonl, .tsv, .csv, .parquet or .txt file, or a folder of texts.")]


def duplicates(
    source: Input,
    threshold: Annotated[float, typer.Option("--threshold", help="Least cosine of a duplicate.")] = 0.9,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .jsonl or .txt file without them.")] = None,
    model: opt.Model = opt.DEFAULT,
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    input_encoding: opt.InputEncoding = "utf-8",
    as_json: Json = False,
) -> None:
    """Group near-duplicates, and write the file with the longest text of each group."""
    from .. import corpus, mining

    corpus.writable(output)
    reader = corpus.Reader(source, text_field, id_field, input_encoding)
    with corpus.embedded(reader, opt.load(model)) as rows, progress("comparing", len(rows.ids)) as advance:
        found = mining.duplicates(rows.embeddings, rows.keys, threshold=threshold, progress=advance)
        if output is not None:
            corpus.write(reader, found.kept, output)
        groups = [[rows.ids[row] for row in group] for group in found.groups]
    if as_json:
        summary = {"rows": found.rows, "kept": len(found.kept), "threshold": threshold, "model": model}
        emit({"groups": groups, **summary})
        return
    for group in groups:
        print("\t".join(group))
    print(f"{found.rows} rows, {len(groups)} groups, {found.rows - len(found.kept)} duplicates ({found.ratio:.1%})")


def paraphrases(
    source: Input,
    threshold: Annotated[float, typer.Option("--threshold", help="Least cosine of a pair.")] = 0.8,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most this many pairs.")] = 1000,
    model: opt.Model = opt.DEFAULT,
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    input_encoding: opt.InputEncoding = "utf-8",
    as_json: Json = False,
) -> None:
    """List the pairs of texts that mean most nearly the same."""
    from .. import corpus, mining

    reader = corpus.Reader(source, text_field, id_field, input_encoding)
    with corpus.embedded(reader, opt.load(model)) as rows, progress("comparing", len(rows.ids)) as advance:
        found = mining.paraphrases(rows.embeddings, threshold=threshold, limit=limit, progress=advance)
    texts = corpus.texts(reader, {row for pair in found for row in (pair.first, pair.second)})
    pairs = [
        {
            "score": round(pair.score, 4), "id1": rows.ids[pair.first], "id2": rows.ids[pair.second],
            "text1": texts[pair.first], "text2": texts[pair.second],
        }
        for pair in found
    ]  # fmt: skip
    if as_json:
        emit({"pairs": pairs, "rows": len(rows.ids), "threshold": threshold, "model": model})
        return
    for pair in pairs:
        print(f"{pair['score']:.3f}\t{pair['text1']}\t{pair['text2']}")
