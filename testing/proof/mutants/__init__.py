"""Mutants: each removes one rule of the design from the code, and the audit must find events lost or doubled.

They show that each rule is needed, and that the scenarios detect its absence. `make mutants` runs all.
"""

from __future__ import annotations

from testing.proof.mutants import buffering, committing, resuming

MUTANTS = (*buffering.MUTANTS, *committing.MUTANTS, *resuming.MUTANTS)
"""In the order of design.md §5b."""
