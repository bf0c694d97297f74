"""Optional capabilities: one place that imports them and says how to install what is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingExtraError


def require(module: str, *, extra: str) -> ModuleType:
    """Import ``module``, which the extra ``extra`` installs.

    :raises MissingExtraError: with the pip line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        # A broken install of the capability itself must not be reported as a missing one.
        missing = (error.name or module).split(".")[0]
        if missing != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{missing} is not installed; run: pip install 'ko-sentence-transformers[{extra}]'"
        ) from error
