"""Write docs/cli.md from the command's own --help; with --check, fail where the file is out of date."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TARGET = Path(__file__).parent / "cli.md"
WIDTH = "100"


def help_of(*verbs: str) -> str:
    """Return the help text of one command."""
    command = [sys.executable, "-m", "ko_sentence_transformers", *verbs, "--help"]
    environment = {**os.environ, "COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def commands() -> list[tuple[str, ...]]:
    """Return every command and subcommand, from the table the command itself is built from."""
    from typer.main import get_command

    from ko_sentence_transformers.cli.app import app

    def walk(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        children = getattr(command, "commands", {})
        return [path, *(found for name in sorted(children) for found in walk(children[name], (*path, name)))]

    return walk(get_command(app), ())


def main() -> None:
    """Write the page, or compare it."""
    parts = ["# The command", "", "Made by `python docs/make_reference.py` from `--help`.", ""]
    for verbs in commands():
        parts += [f"## ko-st {' '.join(verbs)}".rstrip(), "", "```", help_of(*verbs), "```", ""]
    page = "\n".join(parts)
    if "--check" not in sys.argv:
        TARGET.write_text(page, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != page:
        sys.exit(f"{TARGET} is out of date; run: python docs/make_reference.py")


if __name__ == "__main__":
    main()
