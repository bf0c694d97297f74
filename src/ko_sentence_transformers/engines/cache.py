"""The one folder we write to unasked: compiled models and corpus embeddings that can be made again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

MAX_BYTES = 1 << 30
_off: ContextVar[bool] = ContextVar("cache_off", default=False)


@contextmanager
def no_cache() -> Iterator[None]:
    """Keep nothing inside this block: for models in temporary folders, which would push out the ones in use."""
    token = _off.set(True)
    try:
        yield
    finally:
        _off.reset(token)


def cache_folder(part: str) -> Path | None:
    """Return the cache folder for ``part``, made and kept under :data:`MAX_BYTES`; None where none can be written.

    ``KO_ST_CACHE`` moves it; an empty ``KO_ST_CACHE`` turns it off.
    """
    setting = os.environ.get("KO_ST_CACHE")
    if setting == "" or _off.get():
        return None
    folder = (Path(setting) if setting else _user_cache()) / part
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            return None
        _trim(folder)
    except OSError:
        return None
    return folder


def _user_cache() -> Path:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", str(Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "ko-sentence-transformers"


def _trim(folder: Path) -> None:
    """Remove the longest unused files until the folder is within its bound."""
    files = sorted(
        ((status.st_atime, status.st_size, path) for path in folder.iterdir() for status in [path.stat()]),
        reverse=True,
    )
    total = 0
    for _, size, path in files:
        total += size
        if total > MAX_BYTES:
            path.unlink(missing_ok=True)
