"""The fenced blocks of a Markdown file, and what its SQL and Python print; documents are held to it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 120
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ASKED = re.compile(r"^```(sql|python)\n(.*?)^```\n\n```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SQL = "import duckdb, sys; print(duckdb.sql(sys.argv[1]))"


class Block(NamedTuple):
    """One fenced block."""

    language: str
    code: str


def blocks(text: str, *languages: str) -> Iterator[Block]:
    """Yield the fenced blocks in these languages, in order."""
    for found in _FENCE.finditer(text):
        if found[1] in languages:
            yield Block(found[1], found[2])


def answered(text: str, folder: Path) -> str:
    """Return the text with each answer (a block `text` right behind SQL or Python) printed anew."""

    def anew(found: re.Match[str]) -> str:
        printed = run(Block(found[1], found[2]), folder)
        return f"```{found[1]}\n{found[2]}```\n\n```text\n{printed}```"

    return _ASKED.sub(anew, text)


def run(block: Block, folder: Path) -> str:
    """Return what a block prints in this folder, with the checkout importable. Raises AssertionError."""
    words = [_SQL, block.code] if block.language == "sql" else [block.code]
    done = subprocess.run(
        [sys.executable, "-c", *words],
        check=False,
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY), "TZ": "UTC", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{block.code}\n{done.stderr}"
    return "".join(line.rstrip() + "\n" for line in done.stdout.rstrip().splitlines())
