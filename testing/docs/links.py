"""The links between the repository's Markdown files, and whether what they name is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

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


class Link(NamedTuple):
    """One link, and the file that it stands in."""

    page: Path
    target: str

    def is_broken(self) -> bool:
        """Whether its file is not there, or has no such heading."""
        name, _, anchor = self.target.partition("#")
        path = (self.page.parent / name).resolve() if name else self.page
        if not path.exists():
            return True
        return bool(anchor) and anchor not in anchors(path.read_text(encoding="utf-8"))

    def __str__(self) -> str:
        """Return it as a person looks for it."""
        return f"{self.page.relative_to(REPOSITORY)}: {self.target}"


def pages(root: Path = REPOSITORY) -> list[Path]:
    """Return every Markdown file of the repository."""
    found = [path for path in root.rglob("*.md") if not _is_hidden(path.relative_to(root))]
    return sorted([*found, *(root / ".github").rglob("*.md")])


def links(page: Path) -> Iterator[Link]:
    """Yield the links that lead to files of ours, pictures too."""
    text = _CODE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
    for target in _LINK.findall(text):
        if not _ELSEWHERE.match(target):
            yield Link(page, target)


def anchors(text: str) -> set[str]:
    """Return the names by which a page's headings can be linked to, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = _NOT_IN_ANCHORS.sub("", shown.lower()).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
    return {f"{name}-{at}" if at else name for name, most in found.items() for at in range(most + 1)}


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts) or "node_modules" in path.parts
