"""The search index: built once, kept, updated, filtered; meaning and words together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from ..encoding import Embeddings, Encoder, TextReport, encode, encode_stream
from ..errors import InputError
from ..morphemes import Analyser
from ..records import Record
from . import ann, binding, checking, chunks, filters, lexical
from .hits import IndexHit
from .info import IndexInfo, read_info
from .reranking import RERANKED, Reranker
from .searching import MODES, Memory, Mode, Request, Search
from .store import Store
from .tuning import Tuning, tune
from .vectors import Vectors
from .writing import Changes, Writer

MAX_K = 10_000


class SearchIndex:
    """An index folder. It takes an encoder, or embeddings made elsewhere; it loads no model itself.

    One object may be used by several threads, and one folder by several processes: writers take turns, readers
    see the last commit.
    """

    def __init__(self, store: Store, encoder: Encoder | None = None) -> None:
        self._store = store
        self._encoder: Encoder | None = None
        self._analyser: Analyser | None = None
        self._memory = Memory()
        with store.reading():
            self._vectors = Vectors(store)
            self._dim = int(store.meta("dim"))
            self._size: int | None = store.meta("chunk_characters")
        if encoder is not None:
            self.attach(encoder)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        *,
        encoder: Encoder | None = None,
        dim: int | None = None,
        chunk: bool = False,
        analyser: str | None = None,
        words: Sequence[str] = (),
    ) -> Self:
        """Make an empty index.

        :param encoder: what will embed texts; without one, embeddings of ``dim`` numbers are given to each call.
        :param dim: keep this many leading dimensions of the encoder's (Matryoshka).
        :param chunk: split long texts at sentence ends into chunks that the encoder reads whole.
        :param analyser: ``kiwi`` or ``ngram``; by default kiwi where it is installed.
        :param words: nouns to keep whole, for kiwi.
        :raises OutputError: if the folder holds files or cannot be written.
        """
        facts = binding.facts(encoder, dim)
        chosen = lexical.load(analyser, words)
        size = None
        if chunk:
            size = chunks.size_for(encoder.max_seq_length if encoder is not None else 256)
        store = Store.create(
            Path(folder),
            {
                **facts, "chunk_characters": size, "complete": True, "ann": None, "words": list(words),
                "analyser": chosen.version, "analyser_name": chosen.version.split()[0],
            },
        )  # fmt: skip
        return cls(store, encoder)

    @classmethod
    def open(cls, folder: str | Path, *, encoder: Encoder | None = None) -> Self:
        """Open an index.

        :raises IndexFolderError: if it is none, is damaged, or was built with another model.
        """
        index = cls(Store.open(Path(folder)), encoder)
        with index._store.reading():
            index._vectors.refresh()
        if index._vectors.damaged and index._store.writable:
            ann.maintain(index._store.folder, rebuild=True)
        return index

    @property
    def model(self) -> str | None:
        """Name of the model whose embeddings the index holds."""
        name = self._store.meta("model")
        return None if name is None else str(name)

    @property
    def complete(self) -> bool:
        """Whether the build that made the index has reached its end."""
        return bool(self._store.meta("complete"))

    def attach(self, encoder: Encoder) -> None:
        """Use ``encoder`` for texts and queries.

        :raises IndexFolderError: if its embeddings do not fit those in the index.
        """
        binding.check(self._store, encoder)
        self._encoder = encoder

    def build(
        self,
        records: Iterable[Record],
        *,
        embeddings: Embeddings | None = None,
        progress: Callable[[Changes], None] | None = None,
    ) -> Changes:
        """Add records as one build: until it has reached its end, the index says that it is not complete.

        After a kill the same call goes on: what is there already is passed over.
        """
        self._set(complete=False)
        changes = self.add(records, embeddings=embeddings, progress=progress)
        self._set(complete=True)
        return changes

    def add(
        self,
        records: Iterable[Record],
        *,
        embeddings: Embeddings | None = None,
        progress: Callable[[Changes], None] | None = None,
    ) -> Changes:
        """Add records; one that is there already, unchanged, is passed over without being encoded.

        :param embeddings: unit vectors ``(records, dim)`` instead of the encoder's.
        :param progress: called after each commit with the counts so far.
        :raises InputError: for an id whose record differs (see :meth:`update`) or that occurs twice.
        """
        return self._write(records, embeddings, progress, replaces=False)

    def update(
        self,
        records: Iterable[Record],
        *,
        embeddings: Embeddings | None = None,
        progress: Callable[[Changes], None] | None = None,
    ) -> Changes:
        """Add records or put them in the place of those with their ids; only changed texts are encoded."""
        return self._write(records, embeddings, progress, replaces=True)

    def delete(self, ids: Iterable[str]) -> int:
        """Delete documents by id and return how many there were."""
        with self._store.writing():
            docs = [found[0] for found in self._store.known(ids).values()]
            if docs:
                self._store.changed(added=0, removed=self._store.remove(docs))
        return len(docs)

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        mode: Mode = "hybrid",
        where: str | None = None,
        embedding: Embeddings | None = None,
        rerank: Reranker | None = None,
    ) -> list[IndexHit]:
        """Return the ``k`` best documents, best first.

        :param mode: ``dense`` (meaning), ``lexical`` (words, BM25) or ``hybrid`` (both).
        :param where: a condition on metadata, such as ``year >= 2024 and category = '정책'``.
        :param embedding: of the query, ``(dim,)`` and of unit length, instead of the encoder's.
        :param rerank: (query, texts) -> scores; puts the best hits in order again.
        :raises InputError: for a blank query, a condition that cannot be read, or an option out of range.
        """
        if not query.strip() and embedding is None:
            raise InputError("the query is blank; give it some words")
        if not 1 <= k <= MAX_K:
            raise InputError(f"k is {k}; it must be 1 to {MAX_K}")
        if mode not in MODES:
            raise InputError(f"mode {mode!r} is unknown; use one of {', '.join(MODES)}")
        request = Request(
            terms=[] if mode == "dense" else lexical.forms(self._words(), query),
            embedding=None if mode == "lexical" else self._query(query, embedding),
            k=k if rerank is None else max(k, RERANKED),
            mode=mode,
            where=None if where is None else filters.parse(where),
        )
        with self._store.reading():
            self._vectors.refresh()
            hits = Search(self._store, self._vectors, self._memory, request).hits()
        if rerank is not None and hits:
            # As the encoder does, a reranker reads the title before the text.
            texts = [Record(hit.id, hit.text, hit.metadata).passage for hit in hits]
            scores = [float(score) for score in rerank(query, texts)]
            hits = [replace(hit, score=score) for hit, score in zip(hits, scores, strict=True)]
            hits = sorted(hits, key=lambda hit: -hit.score)[:k]
        return hits

    def info(self) -> IndexInfo:
        """Return facts about the index."""
        with self._store.reading():
            return read_info(self._store)

    def compact(self) -> None:
        """Give back the space of deleted rows and rebuild what is derived: words and the vector file.

        The words are analysed again if the analyser has changed since, or if they are damaged.
        """
        binding.reanalyse(self._store, damaged=any(checking.words(self._store)))
        ann.maintain(self._store.folder, rebuild=True)
        self._store.vacuum()

    def tune(self, *, recall: float = 0.98, queries: Sequence[str] | None = None) -> Tuning:
        """Measure recall against exact search on this index and set how far its searches look.

        :param queries: typical queries, for the encoder; by default rows of the index stand in for them.
        """
        embeddings = None if queries is None else np.stack([self._query(query, None) for query in queries])
        return tune(self._store, self._vectors, recall, embeddings)

    def close(self) -> None:
        """Close the files."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of documents."""
        return self._store.count("document")

    def _write(
        self,
        records: Iterable[Record],
        embeddings: Embeddings | None,
        progress: Callable[[Changes], None] | None,
        *,
        replaces: bool,
    ) -> Changes:
        if embeddings is None and self._encoder is None:
            raise InputError("the index has no encoder attached; give one, or the embeddings of the records")
        if embeddings is not None:
            embeddings = binding.checked(embeddings, self._dim)
            if self._size is not None:
                raise InputError("an index of chunks makes its embeddings itself; attach an encoder")
        report = TextReport(self._encoder.max_seq_length if self._encoder else 0)
        writer = Writer(self._store, lambda texts: self._embed(texts, report), self._words(), self._size, replaces)
        changes = Changes()
        for changes in writer.write(records, embeddings):
            if progress:
                progress(changes)
        ann.maintain(self._store.folder)
        binding.warn(report)
        return changes

    def _set(self, *, complete: bool) -> None:
        with self._store.writing():
            self._store.set_meta(complete=complete)

    def _embed(self, texts: Sequence[str], report: TextReport) -> Embeddings:
        if self._encoder is None or not texts:
            return np.empty((0, self._dim), np.float32)
        prompt = "document" if "document" in self._encoder.prompts else None
        parts = encode_stream(self._encoder, texts, report, prompt_name=prompt, truncate_dim=self._dim)
        return np.asarray(np.concatenate(list(parts)), np.float32)

    def _query(self, query: str, embedding: Embeddings | None) -> Embeddings:
        if embedding is not None:
            return np.asarray(binding.checked(np.atleast_2d(embedding), self._dim)[0])
        if self._encoder is None:
            raise InputError("the index has no encoder attached; give one, an embedding, or mode='lexical'")
        prompt = "query" if "query" in self._encoder.prompts else None
        return np.asarray(encode(self._encoder, [query], prompt_name=prompt, truncate_dim=self._dim)[0])

    def _words(self) -> Analyser:
        """Return the analyser the index was built with; loaded when first needed."""
        if self._analyser is None:
            self._analyser = binding.analyser(self._store)
        return self._analyser
