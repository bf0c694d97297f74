"""Facts about an index, for people and programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .store import Store


@dataclass(frozen=True)
class IndexInfo:
    """Facts about an index.

    :ivar rows: documents; ``chunks`` is the same number where texts are kept whole.
    :ivar complete: whether the build that made it has reached its end.
    :ivar search: ``exact``, or ``approximate`` with a vector file.
    """

    rows: int
    chunks: int
    model: str | None
    dim: int
    analyser: str
    chunk_characters: int | None
    fields: tuple[str, ...]
    search: str
    complete: bool
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON types."""
        return asdict(self)


def read_info(store: Store) -> IndexInfo:
    """Return the facts of one state of the rows, inside a transaction."""
    meta = store.meta
    return IndexInfo(
        rows=store.count("document"),
        chunks=store.count("chunk"),
        model=meta("model"),
        dim=int(meta("dim")),
        analyser=meta("analyser"),
        chunk_characters=meta("chunk_characters"),
        fields=tuple(store.field_names()),
        search="approximate" if meta("ann") else "exact",
        complete=bool(meta("complete")),
        bytes=sum(path.stat().st_size for path in store.folder.iterdir() if path.is_file()),
    )
