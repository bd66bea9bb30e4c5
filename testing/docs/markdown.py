"""The repository's Markdown files: their links, and the output of their SQL and Python blocks."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from testing.harness import programs
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")
_ELSEWHERE = re.compile(r"[a-z]+:")
SECONDS = 120
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_EXAMPLE = re.compile(r"^```(sql|python)\n(.*?)^```\n\n```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SQL = "import duckdb, sys; print(duckdb.sql(sys.argv[1]))"


class Link(NamedTuple):
    """One link, and the file that holds it."""

    page: Path
    target: str

    def is_broken(self) -> bool:
        """Whether its file or heading is missing."""
        name, _, anchor = self.target.partition("#")
        path = (self.page.parent / name).resolve() if name else self.page
        if not path.exists():
            return True
        return bool(anchor) and anchor not in anchors(path.read_text(encoding="utf-8"))

    def __str__(self) -> str:
        """Return page and target."""
        return f"{self.page.relative_to(REPOSITORY)}: {self.target}"


def pages(root: Path = REPOSITORY) -> list[Path]:
    """Return every Markdown file of the repository."""
    found = [path for path in root.rglob("*.md") if not _is_hidden(path.relative_to(root))]
    return sorted([*found, *(root / ".github").rglob("*.md")])


def links(page: Path) -> Iterator[Link]:
    """Yield the links to files of the repository, pictures too."""
    text = _CODE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
    for target in _LINK.findall(text):
        if not _ELSEWHERE.match(target):
            yield Link(page, target)


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = _NOT_IN_ANCHORS.sub("", shown.lower()).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
    return {f"{name}-{at}" if at else name for name, most in found.items() for at in range(most + 1)}


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts) or "node_modules" in path.parts


class Block(NamedTuple):
    """One fenced block."""

    language: str
    code: str


def blocks(text: str, *languages: str) -> Iterator[Block]:
    """Yield the fenced blocks in these languages, in order."""
    for found in _BLOCK.finditer(text):
        if found[1] in languages:
            yield Block(found[1], found[2])


def with_output(text: str, folder: Path) -> str:
    """Return the text with the output (a `text` block after SQL or Python) of each example updated."""

    def updated(found: re.Match[str]) -> str:
        printed = run(Block(found[1], found[2]), folder)
        return f"```{found[1]}\n{found[2]}```\n\n```text\n{printed}```"

    return _EXAMPLE.sub(updated, text)


def run(block: Block, folder: Path) -> str:
    """Run a block in a folder, with the checkout importable; returns its output. Raises CommandError."""
    words = [_SQL, block.code] if block.language == "sql" else [block.code]
    env = {"PYTHONPATH": str(REPOSITORY), "TZ": "UTC", "PATH": "/usr/bin:/bin"}
    printed = programs.run(sys.executable, "-c", *words, cwd=folder, env=env, seconds=SECONDS).stdout
    return "".join(line.rstrip() + "\n" for line in printed.rstrip().splitlines())
