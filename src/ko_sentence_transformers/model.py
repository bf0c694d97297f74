"""A model folder becomes an Encoder: tokenizer, engine, pooling and head. One class for every network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import encoding
from ._files import atomic_folder
from .encoding import Embeddings, Encoder, TokenIds
from .engines import Engine, load_engine
from .errors import InputError, UnknownModelError
from .model_folder import (
    count_positions,
    find_folder,
    read_max_seq_length,
    read_modules,
    read_prompts,
    read_tokenizer,
    unknown_id,
)
from .packing import fill_rows, pack
from .pooling import Head, load_head, load_pooling, read_json
from .registry import DEFAULT_MODEL, find_model
from .static_table import mean_rows, read_table

# Shapes that batches are padded to. An engine compiles each new shape once (tens of milliseconds) and keeps it, so
# there are few. Most work runs in full rows of _ROW tokens, which hold several texts each.
_ROW = 128
_LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_ROWS = (1, 2, 4, 8, 16, 32, 64)
# A batch has at least so many tokens, where there are as many; and a core gets so many batches, where they are large.
_LEAST_TOKENS = 512
_SHARES = 4
# Texts given to the tokenizer at once: what it returns holds far more than the ids.
_TOKENIZED = 1024
# A static model has no length limit; this one only bounds a single text's memory.
_STATIC_LIMIT = 1_000_000


def load_model(
    name_or_path: str | Path = DEFAULT_MODEL,
    *,
    engine: str | None = None,
    threads: int | None = None,
    max_seq_length: int | None = None,
    truncate_dim: int | None = None,
    revision: str | None = None,
    download: bool = False,
) -> Encoder:
    """Load a shipped model, a sentence-transformers folder, or a model of the hub.

    :param name_or_path: a name of :func:`list_models`, a folder, or a hub id such as ``jhgan/ko-sbert-nli``.
    :param engine: ``openvino`` (default), ``onnxruntime`` or ``torch``.
    :param threads: processor threads; all by default.
    :param max_seq_length: read at most this many tokens of a text; the model's own limit by default.
    :param truncate_dim: give only so many leading dimensions, at unit length (Matryoshka); all by default.
    :param revision: commit, branch or tag of a hub model; the registry's pinned one by default.
    :param download: allow the network, for hub models that are not on disk.
    :raises UnknownModelError: if there is no such name or folder; the nearest names are suggested.
    :raises ModelFolderError: if the folder is incomplete or damaged.
    """
    folder = find_folder(name_or_path, revision, download)
    modules = read_modules(folder)
    model: StaticEncoder | TransformerEncoder
    if modules[0][0] == "StaticEmbedding":
        model = StaticEncoder(str(name_or_path), folder, modules)
    else:
        model = TransformerEncoder(
            str(name_or_path), folder, modules, engine=engine, threads=threads, max_seq_length=max_seq_length
        )
    if truncate_dim is not None:
        model.truncate(truncate_dim)
    return model


def copy_model(name: str, target: Path) -> None:
    """Write the shipped model ``name`` as a folder that sentence-transformers loads.

    ``model.safetensors`` is restored from the 8-bit weights; everything else is copied.

    :raises UnknownModelError: if no shipped model has this name.
    :raises OutputError: if ``target`` exists or cannot be written.
    """
    meta = find_model(name)
    if meta.folder is None:
        raise UnknownModelError(f"{name} does not ship in the package; it is on the hub as {meta.hub_id}")
    from .restore import restore_weights

    with atomic_folder(target) as aside:
        shutil.copytree(meta.folder, aside, dirs_exist_ok=True)
        for _, folder in read_modules(aside):
            folder.mkdir(exist_ok=True)  # Normalize has no file, so git and wheels leave its folder out
        restore_weights(aside)


class _Base:
    """What every encoder shares: its name, prompts, tokenizer and head."""

    dim: int
    _heads: list[Head]

    def __init__(self, name: str, folder: Path, tokenizer: Any) -> None:
        self.name = name
        self.folder = folder
        self._tokenizer = tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.unknown_id = unknown_id(tokenizer)
        self.prompts = read_prompts(folder)

    def truncate(self, dim: int) -> None:
        """Give only the first ``dim`` dimensions from now on, at unit length.

        :raises InputError: if there are not so many.
        """
        if not 1 <= dim <= self.dim:
            raise InputError(f"truncate_dim is {dim}; {self.name} has {self.dim} dimensions")
        self._heads += [lambda vectors: vectors[:, :dim], load_head("Normalize", self.folder)]
        self.dim = dim

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Return ``(len(texts), dim)`` unit vectors; :func:`encoding.encode` has the options."""
        return encoding.encode(self, texts)  # type: ignore[arg-type]

    def _ids(self, texts: Sequence[str], *, special: bool) -> list[TokenIds]:
        ids: list[TokenIds] = []
        for start in range(0, len(texts), _TOKENIZED):
            part = list(texts[start : start + _TOKENIZED])
            encodings = self._tokenizer.encode_batch_fast(part, add_special_tokens=special)
            ids += [np.asarray(encoding.ids, dtype=np.int64) for encoding in encodings]
        return ids


class TransformerEncoder(_Base):
    """A BERT-shaped network in an engine, then pooling and a head in numpy."""

    def __init__(
        self,
        name: str,
        folder: Path,
        modules: list[tuple[str, Path]],
        *,
        engine: str | None,
        threads: int | None,
        max_seq_length: int | None,
    ) -> None:
        super().__init__(name, folder, read_tokenizer(modules[0][1]))
        config = read_json(modules[0][1] / "config.json")
        limit = count_positions(config)
        self.max_seq_length = read_max_seq_length(modules[0][1], config, max_seq_length)
        self._row = min(_ROW, limit)
        self._pad_id = int(config.get("pad_token_id") or 0)
        self._pool = load_pooling(None)
        self._heads = []
        for kind, path in modules[1:]:
            if kind == "Pooling":
                self._pool = load_pooling(path)
            elif kind != "MeanPooling":
                self._heads.append(load_head(kind, path))
        self._engine: Engine = load_engine(engine, modules[0][1], threads=threads)
        probe = np.zeros((1, int(config["hidden_size"])), dtype=np.float32)
        self.dim = self._head(self._pool(probe, np.ones(1, dtype=np.int64))).shape[1]
        self._start, self._end = self._special()

    @property
    def engine(self) -> str:
        """Name of the engine that runs the network."""
        return self._engine.name

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the ids of each text with the special ones, as long as they are."""
        return self._ids(texts, special=True)

    def window(self, ids: TokenIds) -> list[TokenIds]:
        """Split ids into parts of at most ``max_seq_length``, each with its special tokens."""
        body = ids[len(self._start) : len(ids) - len(self._end)]
        room = max(1, self.max_seq_length - len(self._start) - len(self._end))
        return [np.concatenate([self._start, body[i : i + room], self._end]) for i in range(0, max(1, len(body)), room)]

    def embed(self, parts: Sequence[TokenIds], *, batch_tokens: int = encoding.BATCH_TOKENS) -> Embeddings:
        """Return ``(len(parts), dim)`` vectors, run in batches of about ``batch_tokens`` tokens."""
        lengths = np.fromiter((len(ids) for ids in parts), dtype=np.int64, count=len(parts))
        out = np.empty((len(parts), self.dim), dtype=np.float32)
        if not len(parts):
            return out
        total = int(lengths.sum())
        rows = fill_rows(lengths, min(self._row, total) if self._engine.packs else 0)
        # Large batches are quickest as long as there are several for each core: the last ones end together then.
        batch_tokens = min(batch_tokens, max(_LEAST_TOKENS, total // (_SHARES * self._engine.parallelism)))
        batches = list(self._batches(rows, lengths, batch_tokens))
        if len(batches) == 1:
            texts, vectors = self._run(parts, lengths, batches[0], alone=True)
            out[texts] = vectors
            return out
        with ThreadPoolExecutor(self._engine.parallelism, "ko-st-embed") as workers:
            for texts, vectors in workers.map(lambda batch: self._run(parts, lengths, batch), batches):
                out[texts] = vectors
        return out

    def _batches(
        self, rows: list[list[int]], lengths: NDArray[np.int64], batch_tokens: int
    ) -> Iterator[list[list[int]]]:
        """Group rows of about one length (they come longest first) to at most ``batch_tokens`` tokens."""
        start = 0
        while start < len(rows):
            width = self._width(int(lengths[rows[start]].sum()))
            size = max((count for count in _ROWS if count * width <= batch_tokens), default=1)
            yield rows[start : start + size]
            start += size

    def _run(
        self, parts: Sequence[TokenIds], lengths: NDArray[np.int64], rows: list[list[int]], *, alone: bool = False
    ) -> tuple[NDArray[np.int64], Embeddings]:
        """Return the positions and the vectors of the texts in ``rows``."""
        width = self._width(max(int(lengths[row].sum()) for row in rows))
        batch = pack(parts, rows, (_at_least(_ROWS, len(rows)), width), self._pad_id)
        hidden = self._engine.run(batch.input_ids, batch.attention_mask, alone=alone)[: len(rows)]
        tokens = hidden[batch.attention_mask[: len(rows)] > 0]
        return batch.texts, self._head(self._pool(tokens, batch.lengths))

    def _width(self, tokens: int) -> int:
        """Return the row length that holds ``tokens``: one of a few, and within the model's positions."""
        return min(_at_least(_LENGTHS, tokens), max(self.max_seq_length, self._row, tokens))

    def _head(self, vectors: NDArray[np.float32]) -> Embeddings:
        for head in self._heads:
            vectors = head(vectors)
        return vectors

    def _special(self) -> tuple[TokenIds, TokenIds]:
        """Return the special tokens that the tokenizer puts before and after a text."""
        with_special = self.tokenize(["가"])[0]
        body = self._ids(["가"], special=False)[0]
        start = next((i for i in range(len(with_special)) if np.array_equal(with_special[i : i + len(body)], body)), 0)
        return with_special[:start], with_special[start + len(body) :]


class StaticEncoder(_Base):
    """One vector a token, averaged: no network, numpy only."""

    engine = "numpy"

    def __init__(self, name: str, folder: Path, modules: list[tuple[str, Path]]) -> None:
        path = modules[0][1]
        super().__init__(name, folder, read_tokenizer(path))
        self._table = read_table(path)
        self._heads = [load_head(kind, where) for kind, where in modules[1:]]
        self.max_seq_length = _STATIC_LIMIT
        self.dim = self.embed([np.zeros(1, dtype=np.int64)]).shape[1]

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """Return the ids of each text; there are no special ones."""
        return self._ids(texts, special=False)

    def window(self, ids: TokenIds) -> list[TokenIds]:
        """Split ids into parts of at most ``max_seq_length``."""
        return [ids[i : i + self.max_seq_length] for i in range(0, max(1, len(ids)), self.max_seq_length)]

    def embed(self, parts: Sequence[TokenIds], *, batch_tokens: int = encoding.BATCH_TOKENS) -> Embeddings:
        """Return ``(len(parts), dim)`` mean vectors; a text without tokens is zeros. One batch whatever the size."""
        lengths = np.fromiter((len(ids) for ids in parts), dtype=np.int64, count=len(parts))
        ids = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
        vectors = mean_rows(self._table, ids, lengths)
        for head in self._heads:
            vectors = head(vectors)
        return vectors


def _at_least(sizes: Sequence[int], value: int) -> int:
    return next((size for size in sizes if size >= value), value)
