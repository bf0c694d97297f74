"""``ko-st cluster``: topics of a file of texts; put new texts into them, merge and rename them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from . import options as opt
from .output import Json, emit, progress, steps

if TYPE_CHECKING:
    from ..topics import Texts, TopicFolder

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that ko-st cluster wrote.")]


class InputOrCommand(TyperGroup):
    """A group that takes ``ko-st cluster INPUT ...`` as well: what names no command goes to ``make``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``make`` before arguments that start with none of the commands (a file called merge: ./merge)."""
        if args and args[0] not in (*self.commands, "--help", "-h"):
            args = ["make", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=InputOrCommand,
    no_args_is_help=True,
    help="Group texts into topics with names and a map: ko-st cluster INPUT --output DIR "
    "(the options: ko-st cluster make --help).",
)


@app.command()
def make(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="A .jsonl, .tsv, .csv, .parquet or .txt file, or -")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder, or one of topics.")],
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    date_field: Annotated[str | None, typer.Option("--date-field", help="The field with dates.")] = None,
    k: Annotated[int | None, typer.Option("--k", help="So many topics (k-means).")] = None,
    threshold: Annotated[float | None, typer.Option("--threshold", help="Join groups of at least this cosine.")] = None,
    min_topic_size: Annotated[int | None, typer.Option("--min-topic-size", help="Texts in the smallest topic.")] = None,
    reassign_outliers: Annotated[bool, typer.Option("--reassign-outliers", help="Give each text a topic.")] = False,
    model: opt.Model = opt.DEFAULT,
    seed: Annotated[int, typer.Option("--seed", help="Of every random choice.")] = 42,
    title: Annotated[str | None, typer.Option("--title", help="Of the map; the file's name by default.")] = None,
    name_endpoint: Annotated[
        str | None, typer.Option("--name-endpoint", help="Ask names of this OpenAI-compatible address.")
    ] = None,
    name_model: Annotated[str, typer.Option("--name-model", help="The model asked there.")] = "default",
    input_encoding: opt.InputEncoding = "utf-8",
    as_json: Json = False,
) -> None:
    """Find the topics of the texts in INPUT (this is what ko-st cluster INPUT does).

    Without --k and --threshold the number of topics follows from the density of the texts.
    """
    from dataclasses import replace

    from .. import topics
    from ..clustering import Settings

    settings = Settings(k, threshold, min_topic_size, reassign_outliers, seed)
    topics.TopicFolder.check_writable(output)
    rows = _read(source, text_field, id_field, date_field, input_encoding)
    encoder = opt.load(model)
    with progress("encoding", len(set(rows.texts))) as advance:
        embeddings = topics.embed(encoder, rows.texts, progress=advance)
    name = title or (Path(source).stem if source != "-" else "")
    about = {"model": model}
    with steps() as step:
        found = topics.make_topics(rows, embeddings, settings=settings, title=name, about=about, step=step)
    if name_endpoint:
        with progress("naming", len(found.topics)) as advance:
            named = topics.name_topics(found.topics, endpoint=name_endpoint, model=name_model, progress=advance)
        found = replace(found, topics=tuple(named))
    with progress("writing"):
        found.save(output, over=True)
    _summary(found, output, as_json=as_json)


@app.command()
def assign(
    folder: Folder,
    source: Annotated[str, typer.Argument(metavar="INPUT", help="New texts, in any of the formats.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A .jsonl file; else to the screen.")] = None,
    text_field: opt.TextField = None,
    id_field: opt.IdField = None,
    input_encoding: opt.InputEncoding = "utf-8",
    as_json: Json = False,
) -> None:
    """Put new texts into the topics of DIR: id, topic (-1 for none), the topic's name, cosine to its centre."""
    import json

    from .. import topics
    from .._files import atomic_file

    found = topics.TopicFolder.open(folder)
    rows = _read(source, text_field, id_field, None, input_encoding)
    encoder = opt.load(found.about["model"])
    with progress("encoding", len(set(rows.texts))) as advance:
        labels, scores = found.assign(topics.embed(encoder, rows.texts, progress=advance))
    names = {topic.topic: topic.name for topic in found.topics}
    assignments = [
        {"id": id_, "topic": topic, "name": names.get(topic), "score": round(score, 4)}
        for id_, topic, score in zip(rows.ids, labels.tolist(), scores.tolist(), strict=True)
    ]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in assignments]
    if output is not None:
        with atomic_file(output) as stream:
            stream.write("".join(lines).encode())
    if as_json:
        outliers = int((labels < 0).sum())
        emit({"texts": len(lines), "outliers": outliers, "assignments": assignments})
    elif output is None:
        print("".join(lines), end="")
    else:
        print(f"{len(lines)} texts -> {output}")


@app.command()
def merge(
    folder: Folder,
    numbers: Annotated[list[int], typer.Argument(metavar="TOPIC...", help="Two topics or more, by number.")],
    name: Annotated[str | None, typer.Option("--name", help="Of the new topic; from its words by default.")] = None,
    as_json: Json = False,
) -> None:
    """Make several topics of DIR one, which keeps the smallest of their numbers."""
    from ..topics import TopicFolder

    _rewrite(folder, TopicFolder.open(folder).merged(numbers, name), as_json=as_json)


@app.command()
def rename(
    folder: Folder,
    number: Annotated[int, typer.Argument(metavar="TOPIC", help="Its number.")],
    name: Annotated[str, typer.Argument(help="The new name.")],
    as_json: Json = False,
) -> None:
    """Give a topic of DIR another name, in the table, the map and the picture."""
    from ..topics import TopicFolder

    _rewrite(folder, TopicFolder.open(folder).renamed(number, name), as_json=as_json)


def _read(source: str, text_field: str | None, id_field: str | None, date_field: str | None, encoding: str) -> Texts:
    from ..errors import InputError, RecordError
    from ..records import read_records
    from ..topics import Texts, parse_date

    ids, texts, dates = [], [], []
    for row, record in enumerate(
        read_records(source, text_field=text_field, id_field=id_field, encoding=encoding), start=1
    ):
        if date_field is not None and date_field not in record.metadata:
            known = ", ".join(record.metadata) or "none"
            raise InputError(f"{source}: row {row} has no field {date_field!r} for --date-field; there are: {known}")
        try:
            dates.append(parse_date(record.metadata[date_field]) if date_field else None)
        except InputError as error:
            raise RecordError(f"{source}: row {row} (id {record.id}), field {date_field!r}: {error}") from None
        ids.append(record.id)
        texts.append(record.text)
    if not any(text.strip() for text in texts):
        raise InputError(f"{source}: no text to group ({len(texts)} rows, all blank)")
    return Texts(tuple(ids), tuple(texts), tuple(dates))


def _rewrite(folder: Path, changed: TopicFolder, *, as_json: bool) -> None:
    with progress("writing"):
        changed.save(folder, over=True)
    _summary(changed, folder, as_json=as_json)


def _summary(found: TopicFolder, output: Path, *, as_json: bool) -> None:
    outliers = int((found.labels < 0).sum())
    if as_json:
        emit(
            {
                "output": str(output),
                "texts": len(found.texts),
                "blank": sum(not text.strip() for text in found.texts),
                "outliers": outliers,
                "outlier_share": round(outliers / max(1, len(found.texts)), 4),
                **found.about,
                "seed": found.clusters.settings.seed,
                "topics": [{"topic": t.topic, "size": t.size, "name": t.name} for t in found.topics],
            }
        )
        return
    for topic in found.topics:
        print(f"{topic.topic:>4}  {topic.size:>7}  {topic.name}")
    print(
        f"{len(found.texts)} texts, {len(found.topics)} topics, {outliers} outliers "
        f"({outliers / max(1, len(found.texts)):.0%}), stability {found.about['stability']:.2f} -> {output}"
    )
