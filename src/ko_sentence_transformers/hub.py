"""Model folders from the Hugging Face hub: what is cached is used, what is not is fetched only when asked for."""

from __future__ import annotations

import logging
from pathlib import Path

from ._extras import require
from .errors import ModelError, UnknownModelError

logger = logging.getLogger(__name__)

# Weights as safetensors or ONNX, and JSON/text files: no pickles, no code.
_PATTERNS = ["*.json", "*.txt", "*.model", "*.safetensors", "onnx/model.onnx", "README.md"]


def cached_folder(hub_id: str, revision: str | None) -> Path | None:
    """Return the folder of a model that was downloaded before, without asking the network."""
    hub = require("huggingface_hub", extra="train")
    try:
        folder = Path(hub.snapshot_download(hub_id, revision=revision, local_files_only=True))
    except Exception:  # not in the cache, or no cache: its exceptions share no base
        return None
    return folder if (folder / "config.json").is_file() else None


def fetch_folder(hub_id: str, revision: str | None, *, download: bool) -> Path:
    """Return the folder of ``hub_id``, downloading it only if ``download`` says so.

    :raises ModelError: if it is not on disk and may not be, or cannot be, downloaded.
    """
    folder = cached_folder(hub_id, revision)
    if folder is not None:
        return folder
    if not download:
        raise ModelError(
            f"{hub_id} is not on this disk; allow the download with download=True (--download), "
            "or give a folder that has it"
        )
    hub = require("huggingface_hub", extra="train")
    try:
        folder = Path(hub.snapshot_download(hub_id, revision=revision, allow_patterns=_PATTERNS))
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        if type(error).__name__ == "RepositoryNotFoundError":
            raise UnknownModelError(f"{hub_id} is not on the hub: {reason}") from error
        raise ModelError(f"{hub_id} could not be downloaded ({type(error).__name__}): {reason}") from error
    if revision is None:
        logger.warning("%s: no revision was pinned; the commit fetched is %s", hub_id, folder.name)
    return folder
