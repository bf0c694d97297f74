"""Quality of the search index: dense, lexical and hybrid on three Korean retrieval sets, and on five to tune by.

    python benchmarks/search_quality.py --model ko-sbert-small
    KO_ST_SHARED=... python benchmarks/search_quality.py --model ko-sbert-small      (all sets)
    KO_ST_SHARED=... python benchmarks/search_quality.py --model ko-sbert-small --dev

Everyday questions (``everyday_questions_test.jsonl``, 111 written by hand) over the statutes of ``examples/data`` run
anywhere; the others need the folder of Korean data. The hybrid was tuned on the ``--dev`` sets, among them 60 other
everyday questions (``everyday_questions.jsonl``). Every text goes through the calls of a user: build, search, k = 10.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import os
import random
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ko_sentence_transformers import load_model
from ko_sentence_transformers.index import SearchIndex, exists, lexical
from ko_sentence_transformers.morphemes import Term
from ko_sentence_transformers.records import Record, read_records

HERE = Path(__file__).parent
K = 10


@dataclass(frozen=True)
class RetrievalSet:
    """Records, and queries with the ids of the records that answer them."""

    name: str
    records: list[Record]
    queries: list[tuple[str, set[str]]]


class Whitespace:
    """Words as most full-text indexes see them: particles stay on the nouns."""

    version = "whitespace"

    def terms(self, texts: Iterable[str]) -> Iterator[list[Term]]:
        """Yield runs of letters and digits."""
        for text in texts:
            yield [Term(match.group().lower(), *match.span()) for match in re.finditer(r"\w+", text)]

    def nouns(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield the same, as texts."""
        for terms in self.terms(texts):
            yield [term.form for term in terms]

    stems = nouns


def rows(path: Path) -> list[dict[str, str]]:
    """Read a TSV of the data folder."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def everyday(questions: str) -> RetrievalSet:
    """Questions as people ask them, over 1,450 articles of 15 statutes."""
    records = list(read_records(HERE.parent / "examples" / "data" / "everyday_laws.jsonl"))
    # The name of the statute is part of what an article says.
    records = [
        Record(r.id, r.text, {**r.metadata, "title": f"{r.metadata['law']} {r.metadata['title']}"}) for r in records
    ]
    lines = [json.loads(line) for line in (HERE / questions).read_text(encoding="utf-8").splitlines()]
    return RetrievalSet("everyday questions", records, [(line["q"], set(line["a"])) for line in lines])


def strategyqa(folder: Path) -> RetrievalSet:
    """Ko-StrategyQA: questions and the facts that answer them."""
    relevant: dict[str, set[str]] = {}
    for row in rows(folder / "qrels.tsv"):
        relevant.setdefault(row["qid"], set()).add(row["docid"])
    records = [Record(row["docid"], row["doc"]) for row in rows(folder / "docs.tsv")]
    queries = [(row["query"], relevant[row["qid"]]) for row in rows(folder / "queries.tsv")]
    return RetrievalSet("strategyqa_ko", records, queries)


def pairs(name: str, found: list[dict[str, str]], documents: int) -> RetrievalSet:
    """Make a set of (query, document) rows: each query is answered by its own document."""
    columns = list(found[0])
    seen: dict[str, str] = {}
    queries = []
    for row in found:
        document = row[columns[1]]
        if len(document) < 20 or document in seen:
            continue
        seen[document] = str(len(seen))
        queries.append((row[columns[0]], {seen[document]}))
        if len(seen) == documents:
            break
    return RetrievalSet(name, [Record(number, text) for text, number in seen.items()], queries)


def dev_sets(shared: Path) -> list[RetrievalSet]:
    """Return the sets by which the hybrid's constants were chosen."""
    train = shared / "train"
    return [
        everyday("everyday_questions.jsonl"),
        pairs("dev: statute title -> article", rows(train / "law_article_title_text.tsv.gz"), 4000),
        pairs("dev: petition title -> body", rows(train / "petitions_title_content.tsv.gz"), 2686),
        pairs("dev: question -> passage", rows(train / "kobest_boolq_train.tsv"), 3659),
        pairs("dev: issue -> holding (head)", rows(train / "law_precedent_issue_holding.tsv.gz"), 3000),
    ]


def test_sets(shared: Path) -> list[RetrievalSet]:
    """Return the sets that are reported."""
    cases = rows(shared / "train" / "law_precedent_issue_holding.tsv.gz")
    return [
        strategyqa(shared / "eval" / "strategyqa_ko"),
        pairs("issue -> holding (tail)", cases[-3200:], 3000),
    ]


def measure(search: Callable[[str], list[str]], queries: list[tuple[str, set[str]]]) -> tuple[float, float]:
    """Return recall@10 and nDCG@10."""
    recall = ndcg = 0.0
    for query, relevant in queries:
        found = search(query)
        recall += len(relevant.intersection(found)) / len(relevant)
        gain = sum(1 / math.log2(rank + 2) for rank, name in enumerate(found) if name in relevant)
        ndcg += gain / sum(1 / math.log2(rank + 2) for rank in range(min(K, len(relevant))))
    return recall / len(queries), ndcg / len(queries)


def words_only(records: list[Record]) -> Callable[[str], list[str]]:
    """Index the words between spaces in the same full-text engine."""
    connection = sqlite3.connect(":memory:")
    connection.execute('CREATE VIRTUAL TABLE words USING fts5(terms, tokenize = "unicode61 remove_diacritics 0")')
    analyser = Whitespace()
    terms = analyser.terms(record.passage for record in records)
    connection.executemany("INSERT INTO words(terms) VALUES (?)", ((lexical.joined(found),) for found in terms))

    def search(query: str) -> list[str]:
        match = " OR ".join(f'"{form}"' for form in lexical.forms(analyser, query))
        sql = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?"
        return [records[row[0] - 1].id for row in connection.execute(sql, (match, K))] if match else []

    return search


def report(retrieval: RetrievalSet, options: argparse.Namespace) -> None:
    """Print one line for each way to search the set."""
    queries = retrieval.queries
    if len(queries) > options.queries:
        queries = random.Random(0).sample(queries, options.queries)
    print(f"\n{retrieval.name}: {len(retrieval.records)} texts, {len(queries)} queries", flush=True)
    lines = {"lexical (whitespace)": measure(words_only(retrieval.records), queries)}
    for analyser in options.analyser or ["kiwi"]:
        with tempfile.TemporaryDirectory() as aside:
            name = re.sub(r"\W+", "-", f"{retrieval.name} {analyser} {options.model}")
            with opened((options.keep or Path(aside)) / name, retrieval, options.model, analyser) as index:
                for mode in ("lexical", "dense", "hybrid"):

                    def search(query: str, mode: str = mode, index: SearchIndex = index) -> list[str]:
                        return [hit.id for hit in index.search(query, K, mode=mode)]  # type: ignore[arg-type]

                    line = mode if mode == "dense" else f"{mode} ({analyser})"
                    if line not in lines:
                        lines[line] = measure(search, queries)
    for name, (recall, ndcg) in lines.items():
        print(f"  {name:<22} recall@10 {recall:.3f}  nDCG@10 {ndcg:.3f}", flush=True)


def opened(folder: Path, retrieval: RetrievalSet, model: str, analyser: str) -> SearchIndex:
    """Open the index that an earlier run kept, or build it."""
    encoder = load_model(model)
    if exists(folder):
        index = SearchIndex.open(folder, encoder=encoder)
    else:
        index = SearchIndex.create(folder, encoder=encoder, analyser=analyser)
    if len(index) < len(retrieval.records):
        index.build(retrieval.records)
    return index


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="ko-sbert-small")
    parser.add_argument("--dev", action="store_true", help="the sets to tune by")
    parser.add_argument("--queries", type=int, default=1000, help="at most this many of each set, drawn at random")
    parser.add_argument("--analyser", action="append", help="kiwi (default) or ngram; may be repeated")
    parser.add_argument("--keep", type=Path, help="a folder for the indexes, found again by the next run")
    options = parser.parse_args()
    shared = os.environ.get("KO_ST_SHARED")
    data = Path(shared) / "data" if shared else None
    if options.dev:
        sets = dev_sets(data) if data else parser.error("--dev needs KO_ST_SHARED")
    else:
        sets = [everyday("everyday_questions_test.jsonl"), *(test_sets(data) if data else [])]
    for retrieval in sets:
        report(retrieval, options)


if __name__ == "__main__":
    main()
