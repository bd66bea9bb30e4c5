"""The rules of design.md §5b, each with what takes it out of the code and the scenario that shows it."""

from __future__ import annotations

from testing.proof.mutants import buffering, committing, resuming

MUTANTS = (*buffering.MUTANTS, *committing.MUTANTS, *resuming.MUTANTS)
