"""Draw the README's terminal pictures: each command is run, and what it prints is the picture.

python docs/make_pictures.py
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURES = {
    "search": ('search examples/data/everyday_laws.jsonl "퇴직금은 언제까지 줘야 하나요?" -k 3', 108),
}
# Latin from a monospaced font; Hangul from one that has it.
FONT = "'D2Coding', 'DejaVu Sans Mono', Menlo, Consolas, 'Noto Sans CJK KR', monospace"


def draw(name: str, command: str, width: int) -> None:
    """Run ``ko-st command`` in the checkout and write ``docs/pictures/name.svg``."""
    done = subprocess.run(
        [sys.executable, "-m", "ko_sentence_transformers", *shlex.split(command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), (f"ko-st {command}", "bold")))
    console.print(Text(done.stdout.rstrip()))
    picture = console.export_svg(title="ko-st")
    # rich counts a Hangul syllable as one column when it fixes the length of a line; let the font decide.
    picture = re.sub(r' textLength="[^"]*"', "", picture.replace("Fira Code, monospace", FONT))
    target = ROOT / "docs" / "pictures" / f"{name}.svg"
    target.parent.mkdir(exist_ok=True)
    target.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    for name, (command, width) in PICTURES.items():
        draw(name, command, width)
