"""The README's examples run as written, with no network, and leave the home folder empty."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.ko.md")
OFFLINE = """
import socket
def refuse(*arguments):
    raise OSError("a test has no network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
"""


RUN = "import sys; from ko_sentence_transformers.cli import run; sys.exit(run(sys.argv[1:]))"


def blocks(readme: str, language: str) -> list[str]:
    text = (ROOT / readme).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(readme: str) -> list[str]:
    lines = [line for block in blocks(readme, "console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ko-st ")]


def offline(code: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    examples = folder / "examples"
    if not examples.exists():
        examples.symlink_to(ROOT / "examples")
    environment = {**os.environ, "HOME": str(home), "PYTHONWARNINGS": "error", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE + code, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert not list(home.rglob("*")), "something was written into the home folder"
    return done


@pytest.mark.parametrize("readme", READMES)
def test_commands_run_offline(readme: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    found = commands(readme)
    assert len(found) >= 4
    for line in found:
        done = offline(RUN, shlex.split(line)[1:], tmp_path)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_the_main_question_is_answered(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    line = next(line for line in commands("README.md") if "퇴직금" in line)
    done = offline(RUN, shlex.split(line)[1:], tmp_path)
    assert "근로자퇴직급여 보장법 제9조" in done.stdout.splitlines()[0]


@pytest.mark.parametrize("readme", READMES)
def test_python_runs_offline(readme: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    for block in blocks(readme, "python"):
        if "sentence_transformers import SentenceTransformer" in block:
            pytest.importorskip("sentence_transformers")
            copied = offline(RUN, ["models", "copy", "ko-sbert-small", "./ko-sbert-small"], tmp_path)
            assert copied.returncode == 0, copied.stderr
        done = offline(block, [], tmp_path)
        assert done.returncode == 0, done.stderr


def test_both_languages_show_the_same_commands() -> None:
    assert commands("README.md") == commands("README.ko.md")
    assert blocks("README.md", "python") == blocks("README.ko.md", "python")
