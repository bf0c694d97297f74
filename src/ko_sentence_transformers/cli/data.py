"""``ko-st data``: the public data sets, their download, and checks of any file of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .output import Json, emit, progress

app = typer.Typer(help="List, download and check training and evaluation data.", no_args_is_help=True)

_SHOWN = 20


@app.command(name="list")
def list_(as_json: Json = False) -> None:
    """List the public data sets that are read and downloaded by name."""
    from ..data import list_datasets

    if as_json:
        emit({"datasets": [dataset.as_dict() for dataset in list_datasets()]})
        return
    for dataset in list_datasets():
        rows = ", ".join(f"{split} {sum(f.rows for f in files):,}" for split, files in dataset.splits.items())
        size = sum(file.size for file in dataset.files) / 1e6
        print(f"{dataset.name}  ({rows}; {size:,.1f} MB; {dataset.licence})")
        print(f"  {dataset.description}")
        print(f"  {dataset.homepage}")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="korsts, kornli, klue-sts or klue-nli.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the files go.")],
    as_json: Json = False,
) -> None:
    """Download a data set from its public source; a broken download goes on where it stopped."""
    from ..data import get_dataset
    from ..data.download import download as download_dataset

    dataset = get_dataset(name)
    with progress(f"{name} (bytes)", sum(file.size for file in dataset.files)) as advance:
        fetched = download_dataset(dataset, output, progress=advance)
    if as_json:
        rows = [{"path": f.path, "status": f.status, "size": f.size, "sha256": f.sha256} for f in fetched]
        emit({"name": name, "output": str(output), "licence": dataset.licence, "files": rows})
        return
    for file in fetched:
        print(f"{file.status:10}  {output / file.path}  {file.size:,} bytes  sha256 {file.sha256[:12]}")
    print(f"licence: {dataset.licence} ({dataset.homepage})")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A file of rows, or a folder of public data sets.")],
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="Test rows that must not occur in PATH.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="sts, nli, triplets, pairs or labels; by the columns.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="FIELD=NAME", help="A field's column in the file.")
    ] = None,
    encoding: Annotated[str, typer.Option("--input-encoding", help="Of the file.")] = "utf-8",
    as_json: Json = False,
) -> None:
    """Read every row and say what is wrong; exit code 1 if a row is bad or a checksum has changed."""
    if path.is_dir():
        document, good = _check_folder(path)
    else:
        document, good = _check_file(path, against, kind, column, encoding)
    if as_json:
        emit(document)
    else:
        _print_check(document)
    if not good:
        raise typer.Exit(1)


def _check_folder(path: Path) -> tuple[dict[str, Any], bool]:
    from ..data.checks import check_folder

    checks = check_folder(path)
    good = all(check.ok for check in checks)
    return {"ok": good, "files": [check.as_dict() for check in checks]}, good


def _check_file(
    path: Path, against: Path | None, kind: str | None, column: list[str] | None, encoding: str
) -> tuple[dict[str, Any], bool]:
    from ..data import detect_kind, find_overlap, get_reader, parse_columns

    columns = parse_columns(column or [])
    chosen = kind or detect_kind(path, encoding=encoding)
    rows = get_reader(chosen)(path, columns=columns, on_bad_row="drop", encoding=encoding)
    good = not rows.reports[0].dropped
    document: dict[str, Any] = {"ok": good, "kind": chosen, "rows": rows.reports[0].as_dict()}
    if against is not None:
        test = get_reader(detect_kind(against))(against, on_bad_row="drop")
        document["overlap"] = {"against": str(against), **find_overlap(rows, test).as_dict()}
    return document, good


def _print_check(document: dict[str, Any]) -> None:
    for check in document.get("files", [document]):
        rows = check["rows"]
        if rows is None:
            print(f"{check['path']}: missing, though the manifest names it")
            continue
        name = (
            f"{check['dataset']} {check['split']}, checksum {check['checksum']}"
            if "dataset" in check
            else check["kind"]
        )
        print(f"{rows['path']}: {name}; {rows['read']:,} rows, {rows['kept']:,} kept")
        for reason, count in rows["reasons"].items():
            print(f"  {count:,} dropped: {reason}")
        for row in rows["dropped"][:_SHOWN]:
            print(f"    line {row['line']}: {row['reason']}")
        if len(rows["dropped"]) > _SHOWN:
            print(f"    ... {len(rows['dropped']) - _SHOWN:,} more; --json has all")
        if copies := rows["duplicates"]:
            print(f"  {len(copies):,} exact duplicates (line {copies[0]['line']} is line {copies[0]['first']})")
    if overlap := document.get("overlap"):
        print(
            f"{overlap['rows_sharing_a_sentence']:,} rows share a sentence with {overlap['against']} "
            f"({overlap['shared_sentences']:,} sentences), {overlap['rows_shared_whole']:,} the whole row"
        )
        for example in overlap["examples"]:
            print(f"  {example}")
