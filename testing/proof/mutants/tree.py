"""A copy of the code with a rule taken out, as replacements of source text."""

from __future__ import annotations

import ast
import shutil
from typing import TYPE_CHECKING, NamedTuple

from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COPIED = ("services", "testing")


class Edit(NamedTuple):
    """Replace `old`, which stands in `file` exactly once, by `new`."""

    file: str
    old: str
    new: str


class StaleEditError(Exception):
    """The code has changed: what an edit replaces is no longer there, or more than once."""


def mutated_tree(folder: Path, edits: Sequence[Edit]) -> Path:
    """Copy the code into `folder` and make the edits there, one after the other; returns the folder.

    Raises StaleEditError, or SyntaxError for an edit that leaves no Python.
    """
    for name in COPIED:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits:
        path = folder / edit.file
        text = path.read_text(encoding="utf-8")
        found = text.count(edit.old)
        if found != 1:
            raise StaleEditError(f"{edit.file} has this {found} times, not once:\n{edit.old}")
        changed = text.replace(edit.old, edit.new)
        if path.suffix == ".py":
            ast.parse(changed, edit.file)
        path.write_text(changed, encoding="utf-8")
    return folder
