"""The command ``ko-st``: one file a verb; each parses, calls one public function and prints."""

from __future__ import annotations

import logging
import os
import signal
import sys

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Run ``ko-st`` and exit: 0 done, 1 failed, 2 usage, 130 interrupted."""
    # A library warning is one line on stderr, never mixed into the JSON on stdout.
    logging.basicConfig(format="ko-st: %(levelname)s: %(message)s", level=logging.WARNING)
    logging.addLevelName(logging.WARNING, "warning")
    # A reader that closes the pipe early (head) is no error.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; a KoSTError becomes one line on stderr."""
    import typer
    from typer.main import get_command

    from ..errors import KoSTError
    from .app import app

    try:
        result = get_command(app).main(arguments, prog_name="ko-st", standalone_mode=False)
    except KoSTError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("ko-st: interrupted\n")
        return INTERRUPTED
    except OSError as error:
        return _fail(f"{error.filename or 'input/output'}: {error.strerror or error}")
    except Exception as error:
        # typer's own copy of click keeps its usage errors private; they all carry these two.
        if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
            if os.environ.get("KO_ST_TRACEBACK"):
                raise
            return _fail(
                f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]} "
                "(set KO_ST_TRACEBACK=1 to see where)"
            )
        _fail(f"{error.format_message()} (see ko-st --help)")
        return USAGE
    return result if isinstance(result, int) else DONE


def _fail(message: str) -> int:
    sys.stderr.write(f"ko-st: {message}\n")
    return FAILED
