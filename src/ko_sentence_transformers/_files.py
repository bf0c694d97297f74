"""Files: writes that go aside and are renamed into place, and content hashes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import OutputError


def explain(error: OSError, path: Path) -> OutputError:
    """Say in one line why ``path`` could not be written."""
    return OutputError(f"cannot write {path}: {error.strerror or error}; nothing was changed")


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of ``path`` for writing; rename it into place at a clean end.

    :raises OutputError: if it cannot be written; the file that was there is intact.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise explain(error, path) from error
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder; name a file")
        Path(name).chmod(0o666 & ~_umask())  # mkstemp makes private files
        Path(name).replace(path)
    except OSError as error:
        raise error if isinstance(error, OutputError) else explain(error, path) from error
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give an empty temporary folder beside ``path``; rename it into place at a clean end.

    :param replace: whether a folder that is already there may be replaced.
    :raises OutputError: if ``path`` exists (and ``replace`` is off) or cannot be written.
    """
    if not replace and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputError(f"{path} already exists; name a new folder or remove it first")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    except OSError as error:
        raise explain(error, path) from error
    try:
        yield aside
        aside.chmod(0o777 & ~_umask())
        old = None
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
            path.replace(old / "old")
        aside.replace(path)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise error if isinstance(error, OutputError) else explain(error, path) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_json(path: Path, document: Any) -> None:
    """Write one JSON document (UTF-8, indented) atomically."""
    with atomic_file(path) as stream:
        stream.write((json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode())


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
