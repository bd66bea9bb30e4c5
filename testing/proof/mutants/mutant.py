"""A mutant: a rule of the design, the source edits that remove it, and the effect that must follow."""

from __future__ import annotations

import ast
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from testing.harness.daemons import REPOSITORY
from testing.proof.chaos.report import totals
from testing.proof.mutants.environment import BrokenRunError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from testing.proof.mutants.scenarios import Scenario

PUSH = "services/buffer/push.py"
CLAIMS = "services/buffer/claims.py"
KEYS = "services/buffer/keys.py"
CONNECTION = "services/buffer/connection.py"
PENDING = "services/jetstream/pending.py"
INGEST = "services/jetstream/ingest.py"
WRITER = "services/data_writer/writer.py"
RECOVER = "services/data_writer/recover.py"
LAYOUT = "services/archive/paths.py"
COMMIT = "services/data_writer/commit.py"
SERVER = "services/buffer/server.py"
REDIS_CONF = "services/redis/redis.conf"
COPIED = ("services", "testing")
ERRORS = ("lost", "doubled", "altered", "unknown")


class Edit(NamedTuple):
    """Replace `old`, which occurs in `file` exactly once, by `new`."""

    file: str
    old: str
    new: str


NO_FENCE = Edit(CONNECTION, "        if fence:\n", "        if fence and not self.user:\n")


class Mutant(NamedTuple):
    """A rule, the edits that remove it, and what the audit must find without it."""

    name: str
    rule: str
    """As in the design's table."""
    edits: tuple[Edit, ...]
    scenario: Scenario
    effect: str
    """`lost` or `doubled`; `none` where another rule covers this one."""
    allowed: str = ""
    """What the design rules out only after compaction: it does not count against the intact code."""


class StaleEditError(Exception):
    """The code has changed: the text that an edit replaces does not occur exactly once."""


@dataclass(frozen=True)
class AuditCounts:
    """What the audit of one run counted, or why there was no audit."""

    counts: dict[str, int]
    broken: str = ""

    def errors(self, allowed: str) -> dict[str, int]:
        """Return the counts that speak against the run."""
        return {name: self.counts[name] for name in ERRORS if self.counts.get(name) and name != allowed}

    def __str__(self) -> str:
        if self.broken:
            return f"broken: {self.broken}"
        return ", ".join(f"{self.counts[name]} {name}" for name in ERRORS if self.counts[name]) or "0"


@dataclass(frozen=True)
class Comparison:
    """The intact code and a mutant in the same scenario."""

    mutant: Mutant
    intact: AuditCounts
    mutated: AuditCounts

    @property
    def is_as_expected(self) -> bool:
        """Whether the intact code has no error and the mutant has the effect that it names."""
        if self.intact.broken or self.mutated.broken or self.intact.errors(self.mutant.allowed):
            return False
        if self.mutant.effect == "none":
            return not self.mutated.errors(self.mutant.allowed)
        return self.mutated.counts[self.mutant.effect] > 0


def run_intact(mutant: Mutant, folder: Path) -> AuditCounts:
    """Run the mutant's scenario with the code as it is."""
    return _run(mutant, REPOSITORY, folder)


def run_mutated(mutant: Mutant, folder: Path) -> AuditCounts:
    """Run the mutant's scenario without its rule."""
    tree = mutated_tree(folder / "tree", mutant.edits)
    try:
        return _run(mutant, tree, folder / "run")
    finally:
        shutil.rmtree(tree)


def mutated_tree(folder: Path, edits: Sequence[Edit]) -> Path:
    """Copy the code into `folder` and apply the edits in order; returns the folder.

    Raises StaleEditError, or SyntaxError if a file is no longer valid Python.
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


def _run(mutant: Mutant, tree: Path, folder: Path) -> AuditCounts:
    try:
        return AuditCounts(totals(mutant.scenario(tree, folder)))
    except (BrokenRunError, TimeoutError) as error:
        return AuditCounts({}, str(error))
