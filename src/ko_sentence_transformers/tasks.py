"""The table of evaluation tasks: which rows, which texts, which figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .data import LabeledText, Pair, Rows, ScoredPair, find_files, read_labels, read_pairs, read_scored_pairs
from .data.raw import raw_rows
from .encoding import Embeddings
from .errors import InputError, RecordError
from .records import read_records
from .scoring import (
    Outcome,
    RetrievalData,
    score_binary,
    score_bitext,
    score_groups,
    score_retrieval,
    score_sts,
    score_topics,
)


@dataclass(frozen=True)
class Texts:
    """Texts to embed, and the prompt of the model that belongs before them."""

    texts: tuple[str, ...]
    prompt_name: str | None = None


@dataclass(frozen=True)
class Task:
    """One way to evaluate a model.

    :param main: the figure that stands for the task; it gets the interval and is what models are compared by.
    :param split: the part of the data that is read unless another is asked for; empty where there is but one.
    :param read: the data from a file or folder and a split.
    :param texts: what of the data is embedded; ``score`` gets the embeddings in this order.
    :param needs: ``(module, extra)`` that scoring needs beyond the plain install.
    """

    name: str
    description: str
    main: str
    split: str
    read: Callable[[Path, str], Any]
    texts: Callable[[Any], tuple[Texts, ...]]
    score: Callable[[Any, Sequence[Embeddings]], Outcome]
    needs: tuple[str, str] | None = None


def list_tasks() -> tuple[Task, ...]:
    """Return the tasks there are."""
    return tuple(_TASKS.values())


def get_task(name: str) -> Task:
    """Return a task by name.

    :raises InputError: if there is none; the names are in the message.
    """
    if name not in _TASKS:
        raise InputError(f"no task {name!r}; there are {', '.join(_TASKS)}")
    return _TASKS[name]


def read_retrieval(path: Path, split: str = "") -> RetrievalData:
    """Read a folder of ``queries.tsv docs.tsv qrels.tsv``, or a file of query-document pairs.

    :raises InputError: for a missing file, an id that is in no file, or queries without a relevant document.
    """
    if path.is_file():
        return _retrieval_from_pairs(read_pairs(path))
    qrels = path / "qrels.tsv"
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    lacking = [name for name in ("queries.tsv", "docs.tsv", "qrels.tsv") if not (path / name).is_file()]
    if lacking:
        raise InputError(f"{path}: no {', '.join(lacking)}; a file of query-document pairs does as well")
    queries = _texts_by_id(path / "queries.tsv", ("qid", "query_id", "_id", "id"), ("query", "text"))
    documents = _texts_by_id(path / "docs.tsv", ("docid", "doc_id", "_id", "id"), ("doc", "document", "text"))
    place = {identity: position for position, identity in enumerate(documents)}
    relevant: dict[str, dict[int, float]] = {}
    for line, cells in raw_rows(qrels, "utf-8"):
        if isinstance(cells, str):
            raise RecordError(f"{qrels}:{line}: {cells}")
        query, document, gain = _qrel(qrels, line, cells)
        if query not in queries or document not in place:
            missing = query if query not in queries else document
            raise RecordError(f"{qrels}:{line}: id {missing!r} is in neither queries.tsv nor docs.tsv")
        if gain > 0:
            relevant.setdefault(query, {})[place[document]] = gain
    if not relevant:
        raise InputError(f"{qrels}: no query has a relevant document")
    kept = tuple(identity for identity in queries if identity in relevant)
    return RetrievalData(
        tuple(queries[identity] for identity in kept),
        tuple(documents.values()),
        tuple(relevant[identity] for identity in kept),
    )


def _retrieval_from_pairs(rows: Rows[Pair]) -> RetrievalData:
    """Take each distinct document once, and every document of a query as relevant."""
    documents: dict[str, int] = {}
    relevant: dict[str, dict[int, float]] = {}
    for row in rows:
        position = documents.setdefault(row.positive, len(documents))
        relevant.setdefault(row.anchor, {})[position] = 1.0
    return RetrievalData(tuple(relevant), tuple(documents), tuple(relevant.values()))


def _texts_by_id(path: Path, id_fields: Sequence[str], text_fields: Sequence[str]) -> dict[str, str]:
    header = next((cells for _, cells in raw_rows(path, "utf-8")), None)
    if not isinstance(header, dict):
        raise InputError(f"{path}: no rows")
    chosen = []
    for names in (id_fields, text_fields):
        name = next((name for name in names if name in header), None)
        if name is None:
            raise InputError(f"{path}: no column {' or '.join(names)}; the file has {', '.join(header)}")
        chosen.append(name)
    texts: dict[str, str] = {}
    for record in read_records(path, id_field=chosen[0], text_field=chosen[1]):
        if record.id in texts:
            raise InputError(f"{path}: two rows have the id {record.id!r}")
        texts[record.id] = record.text
    return texts


def _qrel(path: Path, line: int, cells: dict[str, Any]) -> tuple[str, str, float]:
    query = cells.get("qid", cells.get("query-id"))
    document = cells.get("docid", cells.get("corpus-id"))
    if query is None or document is None:
        raise InputError(f"{path}: no columns qid and docid; the file has {', '.join(cells)}")
    gain = cells.get("rel", cells.get("score", 1))
    try:
        return str(query), str(document), float(gain)
    except (TypeError, ValueError):
        raise RecordError(f"{path}:{line}: relevance {gain!r} is not a number") from None


def _sts(name: str) -> Callable[[Path, str], Rows[ScoredPair]]:
    return lambda path, split: Rows.join(*(read_scored_pairs(file) for file in find_files(name, path, split)))


def _one_of(path: Path, names: Sequence[str]) -> Path:
    """Return the file itself, or the first of ``names`` in the folder."""
    if not path.is_dir():
        return path
    found = next((path / name for name in names if (path / name).is_file()), None)
    if found is None:
        raise InputError(f"{path}: looked for {', '.join(names)}; name the file")
    return found


def _read_binary(path: Path, split: str) -> Rows[ScoredPair]:
    return read_scored_pairs(_one_of(path, ("pairs.tsv", "question_pair_test.tsv")), score_range=(0.0, 1.0))


def _read_topics(path: Path, split: str) -> Rows[LabeledText]:
    return read_labels(_one_of(path, ("topics.tsv", "ynat_topics.tsv")))


def _read_bitext(path: Path, split: str) -> Rows[Pair]:
    return read_pairs(_one_of(path, ("bitext.tsv", "tatoeba_koen.tsv")))


def _read_groups(path: Path, split: str) -> Rows[LabeledText]:
    return read_labels(_one_of(path, ("groups.tsv", "stylekqc_dev_groups.tsv")))


def _both_sentences(rows: Rows[ScoredPair]) -> tuple[Texts, ...]:
    return Texts(tuple(row.sentence1 for row in rows)), Texts(tuple(row.sentence2 for row in rows))


def _both_sides(rows: Rows[Pair]) -> tuple[Texts, ...]:
    return Texts(tuple(row.anchor for row in rows)), Texts(tuple(row.positive for row in rows))


def _labelled_texts(rows: Rows[LabeledText]) -> tuple[Texts, ...]:
    return (Texts(tuple(row.text for row in rows)),)


def _queries_and_documents(data: RetrievalData) -> tuple[Texts, ...]:
    return Texts(data.queries, "query"), Texts(data.documents, "document")


_TASKS = {
    task.name: task
    for task in (
        Task(
            "korsts",
            "KorSTS: how well similarity follows people's scores (eight correlations)",
            "cosine_spearman",
            "test",
            _sts("korsts"),
            _both_sentences,
            score_sts,
        ),
        Task(
            "klue-sts",
            "KLUE-STS: the same, on sentences written in Korean",
            "cosine_spearman",
            "dev",
            _sts("klue-sts"),
            _both_sentences,
            score_sts,
        ),
        Task(
            "pairs",
            "pairs labelled 0 or 1: average precision and the best F1",
            "average_precision",
            "",
            _read_binary,
            _both_sentences,
            score_binary,
        ),
        Task(
            "retrieval",
            "queries and documents: nDCG@10, MRR, recall@k",
            "ndcg_at_10",
            "",
            read_retrieval,
            _queries_and_documents,
            score_retrieval,
        ),
        Task(
            "topics",
            "texts with a topic: V-measure of k-means",
            "v_measure",
            "",
            _read_topics,
            _labelled_texts,
            score_topics,
            ("sklearn.cluster", "topics"),
        ),
        Task(
            "bitext",
            "sentences in two languages: is the translation the nearest one",
            "accuracy",
            "",
            _read_bitext,
            _both_sides,
            score_bitext,
        ),
        Task(
            "groups",
            "paraphrase groups: are the nearest sentences the paraphrases",
            "r_precision",
            "",
            _read_groups,
            _labelled_texts,
            score_groups,
        ),
    )
}
