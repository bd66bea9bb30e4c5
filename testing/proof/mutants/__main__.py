"""Removes each rule of the design from the code in turn and shows that the audit notices."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from testing.harness.programs import as_program
from testing.proof.mutants import MUTANTS
from testing.proof.mutants.mutant import AuditCounts, Comparison, run_intact, run_mutated


def main(words: list[str]) -> int:
    """Run all mutants, or those named; 0 if each has its effect and the intact code has no error."""
    parser = argparse.ArgumentParser(prog="python -m testing.proof.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all; --list shows them")
    parser.add_argument("--list", action="store_true", help="list the mutants and exit")
    options = parser.parse_args(words)
    unknown = set(options.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    chosen = [mutant for mutant in MUTANTS if not options.names or mutant.name in options.names]
    if options.list:
        for mutant in chosen:
            console.print(f"{mutant.name}: {mutant.rule} [{mutant.scenario.__name__}]", markup=False)
        return 0
    console.print(
        f"Removes {len(chosen)} of {len(MUTANTS)} rules, one at a time, and runs the scenario of each: "
        "about five minutes for all; Ctrl-C ends it."
    )
    started = time.monotonic()
    intact: dict[str, AuditCounts] = {}
    done: list[Comparison] = []
    with tempfile.TemporaryDirectory() as temporary:
        for mutant in chosen:
            scenario = mutant.scenario.__name__
            if scenario not in intact:
                intact[scenario] = run_intact(mutant, Path(temporary) / scenario)
            mutated = run_mutated(mutant, Path(temporary) / mutant.name)
            done.append(Comparison(mutant, intact[scenario], mutated))
            console.print(f"{mutant.name}: {_verdict(done[-1])}", markup=False)
    console.print(_table(done))
    failed = sum(not one.is_as_expected for one in done)
    console.print(f"{len(done)} mutants, {failed} not as expected, {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


def _table(done: list[Comparison]) -> Table:
    table = Table(
        "rule removed", "scenario", "intact", "without the rule", "", title="Rules of design.md §5b"
    )
    for one in done:
        scenario = one.mutant.scenario.__name__.replace("_", " ")
        allowed = f" ({one.mutant.allowed} until compacted)" if one.mutant.allowed else ""
        table.add_row(one.mutant.rule, scenario, f"{one.intact}{allowed}", str(one.mutated), _verdict(one))
    return table


def _verdict(one: Comparison) -> str:
    if not one.is_as_expected:
        return "NOT AS EXPECTED"
    return "green (covered)" if one.mutant.effect == "none" else "red"


if __name__ == "__main__":
    sys.exit(as_program(main))
