"""A folder of topics: what ``ko-st cluster`` writes, and what assign, merge and rename read and write again."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .._files import atomic_folder
from ..clustering import Clusters, Settings
from ..encoding import Embeddings
from ..errors import InputError, OutputError
from ..grouping import OUTLIER, Labels
from .describe import Topic
from .map import View, write_map
from .picture import write_picture
from .timeline import parse_date, timeline
from .tree import hierarchy
from .words import TermCounts, topic_name

FORMAT = 1


@dataclass(frozen=True)
class TopicFolder:
    """Texts, their topics, and what new texts are compared with. ``labels`` hold topic numbers.

    :param topics: in the order of ``centres``, ``floors`` and the rows of ``terms``.
    :param xy: ``(n, 2)`` place of each text on the map, NaN for a blank one.
    :param dates: of each text, None where there is none.
    :param about: title, model, prompt name and whatever else is worth keeping.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    dates: tuple[date | None, ...]
    labels: Labels
    xy: Embeddings
    topics: tuple[Topic, ...]
    clusters: Clusters
    terms: TermCounts
    about: dict[str, Any]

    def assign(self, embeddings: Embeddings) -> tuple[Labels, NDArray[np.float32]]:
        """Return the topic number of new texts and their cosine to its centre; -1 for none near enough."""
        rows, scores = self.clusters.assign(embeddings)
        numbers = np.array([topic.topic for topic in self.topics] + [OUTLIER], dtype=np.int64)
        return numbers[rows], scores

    def renamed(self, topic: int, name: str) -> TopicFolder:
        """Return the same topics with another name for one.

        :raises InputError: if there is no such topic or the name is blank.
        """
        if not name.strip():
            raise InputError("the name is blank; give at least one letter")
        row = self._row(topic)
        topics = list(self.topics)
        topics[row] = replace(topics[row], name=" ".join(name.split()))
        return replace(self, topics=tuple(topics))

    def merged(self, numbers: Sequence[int], name: str | None = None) -> TopicFolder:
        """Return the topics with several made one, which keeps the smallest of their numbers.

        :param name: of the new topic; by default its words are counted again.
        :raises InputError: for fewer than two topics, or one that is not there.
        """
        rows = sorted({self._row(number) for number in numbers})
        if len(rows) < 2:
            raise InputError(f"merge needs two topics or more, not {' '.join(map(str, numbers)) or 'none'}")
        kept = min(rows, key=lambda row: self.topics[row].topic)
        others = [row for row in range(len(self.topics)) if row not in rows or row == kept]
        place = {row: at for at, row in enumerate(others)}
        terms = self.terms.merged([place[kept if row in rows else row] for row in range(len(self.topics))])
        sizes = [self.topics[row].size for row in others]
        sizes[place[kept]] = sum(self.topics[row].size for row in rows)
        words = terms.words(sizes)[place[kept]]
        number = self.topics[kept].topic
        joined = Topic(
            number,
            sizes[place[kept]],
            " ".join((name or "").split()) or topic_name(words, f"topic {number}"),
            words,
            _in_turn([self.topics[row].representatives for row in rows], len(self.topics[kept].representatives)),
        )
        gone = [self.topics[row].topic for row in rows]
        return replace(
            self,
            labels=np.where(np.isin(self.labels, gone), number, self.labels),
            topics=tuple(joined if row == kept else self.topics[row] for row in others),
            clusters=self._joined(rows, others, place[kept]),
            terms=terms,
        )

    def save(self, path: Path, *, over: bool = False) -> None:
        """Write the folder; nothing is there, or all of it.

        :param over: whether an earlier folder of topics may be replaced.
        :raises OutputError: if ``path`` is taken by anything else, or cannot be written.
        """
        self.check_writable(path)
        with atomic_folder(path, replace=over) as folder:
            _write_lines(folder / "assignments.jsonl", self._assignments())
            _write_document(folder / "topics.json", [topic.as_dict() for topic in self.topics])
            _write_table(folder / "topics.csv", self.topics)
            branches = hierarchy(self.topics, self.clusters.centres, self.terms)
            _write_document(folder / "hierarchy.json", [branch.as_dict() for branch in branches])
            periods = timeline(self.dates, self.labels)
            if periods:
                _write_periods(folder / "timeline.csv", periods, self.topics)
            view = View(self.about["title"], self.xy, self.labels, self.texts, self.topics, periods)
            write_map(folder / "map.html", view)
            write_picture(folder / "map.png", view)
            self._write_state(folder)

    @staticmethod
    def check_writable(path: Path) -> None:
        """Say before the work that :meth:`save` will not write over something that is no folder of topics.

        :raises OutputError: if ``path`` is a file or a folder with other things in it.
        """
        if path.exists() and not _is_ours(path) and (path.is_file() or any(path.iterdir())):
            raise OutputError(f"{path} already exists and is no folder of topics; name a new folder")

    @classmethod
    def open(cls, path: Path) -> TopicFolder:
        """Read a folder that :meth:`save` wrote.

        :raises InputError: if it is none, or one of its files is damaged.
        """
        if not _is_ours(path):
            raise InputError(f"{path} is no folder of topics; make one with: ko-st cluster INPUT --output {path}")
        try:
            about = json.loads((path / "state.json").read_text("utf-8"))
            if about.pop("format") != FORMAT:
                raise InputError(f"{path} was written by another version; make it again with ko-st cluster")
            with (path / "texts.jsonl").open(encoding="utf-8") as stream:
                rows = [json.loads(line) for line in stream]
            topics = tuple(_topic(row) for row in json.loads((path / "topics.json").read_text("utf-8")))
            with np.load(path / "state.npz", allow_pickle=False) as state:
                arrays = {name: state[name] for name in state.files}
            vocabulary = tuple(arrays["vocabulary"].tolist())
            settings = Settings(**about.pop("settings"))
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is damaged ({error}); make it again with ko-st cluster") from error
        return cls(
            tuple(row["id"] for row in rows),
            tuple(row["text"] for row in rows),
            tuple(parse_date(row.get("date")) for row in rows),
            arrays["labels"],
            arrays["xy"],
            topics,
            Clusters(arrays["labels"], arrays["centres"], arrays["floors"], settings),
            TermCounts(vocabulary, arrays["terms"], len(topics)),
            about,
        )

    def _row(self, number: int) -> int:
        for row, topic in enumerate(self.topics):
            if topic.topic == number:
                return row
        known = ", ".join(str(topic.topic) for topic in self.topics[:20])
        raise InputError(f"there is no topic {number}; there are: {known}{', ...' if len(self.topics) > 20 else ''}")

    def _joined(self, rows: Sequence[int], others: Sequence[int], at: int) -> Clusters:
        """Return the centres with those of ``rows`` averaged by size."""
        old = self.clusters
        weights = np.array([self.topics[row].size for row in rows], dtype=np.float32)
        centre = weights @ old.centres[list(rows)]
        centre /= max(float(np.linalg.norm(centre)), 1e-9)
        centres, floors = old.centres[list(others)], old.floors[list(others)]
        centres[at] = centre
        floors[at] = (old.floors[list(rows)] * (old.centres[list(rows)] @ centre)).min()
        return replace(old, centres=centres, floors=floors)

    def _assignments(self) -> list[dict[str, Any]]:
        return [{"id": id_, "topic": topic} for id_, topic in zip(self.ids, self.labels.tolist(), strict=True)]

    def _write_state(self, folder: Path) -> None:
        settings = asdict(self.clusters.settings)
        _write_document(folder / "state.json", {"format": FORMAT, **self.about, "settings": settings})
        rows = zip(self.ids, self.texts, self.dates, strict=True)
        _write_lines(
            folder / "texts.jsonl",
            [{"id": i, "text": t, **({"date": d.isoformat()} if d else {})} for i, t, d in rows],
        )
        np.savez_compressed(
            folder / "state.npz",
            labels=self.labels,
            xy=self.xy,
            centres=self.clusters.centres,
            floors=self.clusters.floors,
            terms=self.terms.entries,
            vocabulary=np.array(self.terms.vocabulary, dtype=np.str_),
        )


def _is_ours(path: Path) -> bool:
    return (path / "state.json").is_file() and (path / "topics.json").is_file()


def _topic(row: dict[str, Any]) -> Topic:
    return Topic(row["topic"], row["size"], row["name"], tuple(row["words"]), tuple(row["representatives"]))


def _in_turn(lists: Sequence[Sequence[str]], count: int) -> tuple[str, ...]:
    """Take the first of each list, then the second of each, up to ``count``."""
    longest = max((len(items) for items in lists), default=0)
    turns = [items[at] for at in range(longest) for items in lists if at < len(items)]
    return tuple(dict.fromkeys(turns))[: max(count, len(lists))]


def _write_document(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_table(path: Path, topics: Sequence[Topic]) -> None:
    # With a byte order mark: without it Excel shows Hangul as garbage.
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["topic", "size", "name", "words", "representative"])
        for topic in topics:
            first = topic.representatives[0] if topic.representatives else ""
            writer.writerow([topic.topic, topic.size, topic.name, " ".join(topic.words), first])


def _write_periods(path: Path, periods: Sequence[dict[str, Any]], topics: Sequence[Topic]) -> None:
    names = {topic.topic: topic.name for topic in topics}
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["period", "topic", "name", "size"])
        for row in periods:
            writer.writerow([row["period"], row["topic"], names.get(row["topic"], ""), row["size"]])
