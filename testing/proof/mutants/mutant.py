"""What a mutant is: a rule, how to leave it out, and the harm that must come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from testing.proof.mutants.scenarios import Scenario
    from testing.proof.mutants.tree import Edit


class Mutant(NamedTuple):
    """A rule, how it is left out, and what that must do to the archive."""

    name: str
    rule: str
    """As the design names it."""
    edits: tuple[Edit, ...]
    scenario: Scenario
    harm: str
    """`lost` or `doubled`; `none` where another rule covers for this one."""
    allowed: str = ""
    """Harm that the design promises only after compaction: it does not count against the intact code."""
