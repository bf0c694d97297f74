"""Download of the public data sets: a broken one goes on where it stopped, and every file is checked.

A file arrives beside its place as ``NAME.part`` and is renamed when its checksum is right. ``manifest.json``
in the folder records where each file came from and its SHA-256.
"""

from __future__ import annotations

import http.client
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any, Literal

from .._files import explain, sha256, write_json
from ..errors import DownloadError, InputError
from .catalog import DataFile, Dataset, get_dataset

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
ATTEMPTS = 5
TIMEOUT = 30.0
PAUSE = 1.0  # seconds before the second attempt, doubled each time
_BLOCK = 1 << 16
_BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Fetched:
    """A file of a data set that lies in the folder now.

    :param status: ``downloaded``, or ``present`` where it was there with the right content.
    """

    path: str
    url: str
    size: int
    sha256: str
    status: Literal["downloaded", "present"]


def download(
    dataset: str | Dataset, folder: str | Path, *, progress: Progress | None = None, pause: float = PAUSE
) -> tuple[Fetched, ...]:
    """Fetch the files of a data set into ``folder``, under the names the readers look for.

    :param progress: called with the number of bytes that arrived since the last call.
    :param pause: seconds before a broken connection is tried again, doubled each time.
    :raises DownloadError: if a file cannot be fetched (what came is kept for the next try) or has the wrong
        checksum; files that were already complete stay.
    """
    chosen = get_dataset(dataset) if isinstance(dataset, str) else dataset
    folder = Path(folder)
    known = read_manifest(folder)
    fetched = []
    for file in chosen.files:
        done = _fetch(file, folder / file.path, known.get(file.path), progress, pause)
        fetched.append(done)
        # Written after each file: a run that ends early has recorded what it finished.
        known[file.path] = {
            "dataset": chosen.name,
            **{key: value for key, value in asdict(done).items() if key not in ("path", "status")},
        }
        write_json(folder / MANIFEST, {"files": known})
    return tuple(fetched)


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is recorded of each downloaded file of a folder; nothing where nothing was downloaded.

    :raises InputError: if the manifest is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        return {str(name): dict(entry) for name, entry in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({error}); remove it and download again") from None


def _fetch(
    file: DataFile, target: Path, known: dict[str, Any] | None, progress: Progress | None, pause: float
) -> Fetched:
    # The published checksum, or the one recorded when the file first came.
    expected = file.sha256 or (known or {}).get("sha256")
    if target.is_file():
        found = sha256(target)
        if expected is not None and found != expected:
            raise DownloadError(
                f"{target}: SHA-256 {found[:12]}..., expected {expected[:12]}...; move the file away, "
                "then download again"
            )
        return Fetched(file.path, file.url, target.stat().st_size, found, "present")
    part = target.with_name(target.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, part) from error
    _fetch_part(file.url, part, progress, pause)
    found = sha256(part)
    if expected is not None and found != expected:
        part.unlink()
        raise DownloadError(
            f"{file.url}: SHA-256 {found[:12]}..., expected {expected[:12]}...: not the pinned file; nothing was kept"
        )
    part.replace(target)
    return Fetched(file.path, file.url, target.stat().st_size, found, "downloaded")


def _fetch_part(url: str, part: Path, progress: Progress | None, pause: float) -> None:
    """Bring ``part`` to its full length, from where it stops; give up after some attempts without a byte."""
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _append(url, part, progress):
                return
            reason = "the connection was closed early"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error
            reason = f"the server answers {error.code}"
        except _BROKEN as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        after = part.stat().st_size if part.exists() else 0
        failures = 1 if after > before else failures + 1
        if failures >= ATTEMPTS:
            raise DownloadError(f"{url}: {reason}; {after} bytes are kept, run the command again to go on from there")
        logger.warning("%s: %s after %d bytes; trying again", url.rpartition("/")[2], reason, after)
        time.sleep(pause * 2 ** (failures - 1))


def _append(url: str, part: Path, progress: Progress | None) -> bool:
    """Append what the server still has; whether the file is complete now."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise
        # Nothing after these bytes: complete, or longer than the file is. The checksum tells which.
        error.close()
        total = (error.headers.get("Content-Range") or "").rpartition("/")[2]
        if total.isdigit() and int(total) != start:
            part.unlink()
            return False
        return True
    with response:
        resumed = response.status == 206
        length = response.headers.get("Content-Length")
        arrived = 0
        # Unbuffered, so that a full disk is seen at the write and not taken for a broken connection.
        with _opened(part, "ab" if resumed else "wb") as stream:
            while block := response.read(_BLOCK):
                try:
                    stream.write(block)
                except OSError as error:
                    raise explain(error, part) from error
                arrived += len(block)
                if progress:
                    progress(len(block))
    return length is None or arrived >= int(length)


def _opened(path: Path, mode: Literal["ab", "wb"]) -> FileIO:
    try:
        return FileIO(path, mode)
    except OSError as error:
        raise explain(error, path) from error
