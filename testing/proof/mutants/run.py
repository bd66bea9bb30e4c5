"""Runs mutants and the intact code through their scenarios and says what each audit found."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testing.harness.daemons import REPOSITORY
from testing.proof.chaos.report import totals
from testing.proof.mutants.tree import mutated_tree
from testing.proof.mutants.world import BrokenRunError

if TYPE_CHECKING:
    from pathlib import Path

    from testing.proof.mutants.mutant import Mutant

FAULTS = ("lost", "doubled", "altered", "strangers")


@dataclass(frozen=True)
class Found:
    """What the audit of one run counted, or why there was none."""

    counts: dict[str, int]
    broken: str = ""

    def faults(self, allowed: str) -> dict[str, int]:
        """Return what counts against the run."""
        return {name: self.counts[name] for name in FAULTS if self.counts.get(name) and name != allowed}

    def __str__(self) -> str:
        if self.broken:
            return f"broken: {self.broken}"
        return ", ".join(f"{self.counts[name]} {name}" for name in FAULTS if self.counts[name]) or "0"


@dataclass(frozen=True)
class Shown:
    """One mutant beside the intact code in the same scenario."""

    mutant: Mutant
    intact: Found
    without: Found

    @property
    def as_it_should(self) -> bool:
        """Whether the intact code is without fault and the rule's loss does the harm it is said to do."""
        if self.intact.broken or self.without.broken or self.intact.faults(self.mutant.allowed):
            return False
        if self.mutant.harm == "none":
            return not self.without.faults(self.mutant.allowed)
        return self.without.counts[self.mutant.harm] > 0


def run_intact(mutant: Mutant, folder: Path) -> Found:
    """Run the mutant's scenario with the code as it is."""
    return _found(mutant, REPOSITORY, folder)


def run_without(mutant: Mutant, folder: Path) -> Found:
    """Run the mutant's scenario with its rule left out."""
    tree = mutated_tree(folder / "tree", mutant.edits)
    try:
        return _found(mutant, tree, folder / "run")
    finally:
        shutil.rmtree(tree)


def _found(mutant: Mutant, tree: Path, folder: Path) -> Found:
    try:
        return Found(totals(mutant.scenario(tree, folder)))
    except (BrokenRunError, TimeoutError) as error:
        return Found({}, str(error))
