"""The errors a user can fix. The command line turns each into one line.

KoSTError
├── InputError            a text, file or option value that cannot be used
│   ├── RecordError       one record of a file; names the file and the line
│   └── TruncationError   texts longer than the model reads, with on_truncation="error"
├── OutputError           a result that cannot be written
├── DownloadError         data that could not be fetched, or are not what was asked for
├── ModelError            a model that cannot be used
│   ├── UnknownModelError     no such name; suggests the nearest ones
│   ├── ModelFolderError      a folder with a missing, cut-off or unreadable file
│   └── NonFiniteError        a model that returned NaN or infinity
├── IndexFolderError      an index folder that does not fit (model, dimension, version) or is damaged
└── MissingExtraError     a capability that is not installed; says the pip line
"""

from __future__ import annotations


class KoSTError(Exception):
    """Base of all errors a user can fix; the message is one line and names the value and the fix."""


class InputError(KoSTError, ValueError):
    """A text, file or option value cannot be used."""


class RecordError(InputError):
    """One record of a file cannot be used; the message starts with ``file:line``."""


class TruncationError(InputError):
    """Texts are longer than the model reads and ``on_truncation="error"`` was asked for."""


class OutputError(KoSTError, OSError):
    """A result cannot be written; what was there before is intact."""


class DownloadError(KoSTError, OSError):
    """Data could not be fetched, or are not what the checksum says; a part that came is kept for the next try."""


class ModelError(KoSTError):
    """A model cannot be used."""


class UnknownModelError(ModelError):
    """No model has this name."""


class ModelFolderError(ModelError):
    """A model folder lacks a file, or one of its files is cut off or unreadable."""


class NonFiniteError(ModelError):
    """A model returned NaN or infinity."""


class IndexFolderError(KoSTError):
    """A search index does not fit the model, dimension or analyser, or is damaged."""


class MissingExtraError(KoSTError, ImportError):
    """A capability is not installed."""
