"""Takes each rule of the design out of the code and shows that the audit notices."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from testing.harness.interrupts import as_program
from testing.proof.mutants.catalogue import MUTANTS
from testing.proof.mutants.run import Found, Shown, run_intact, run_without


def main(words: list[str]) -> int:
    """Run all mutants, or those named; 0 if each does its harm and the intact code does none."""
    parser = argparse.ArgumentParser(prog="python -m testing.proof.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all; --list shows them")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    asked = parser.parse_args(words)
    unknown = set(asked.names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"there is no mutant {', '.join(sorted(unknown))}")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    chosen = [mutant for mutant in MUTANTS if not asked.names or mutant.name in asked.names]
    if asked.list:
        for mutant in chosen:
            console.print(f"{mutant.name}: {mutant.rule} [{mutant.scenario.__name__}]", markup=False)
        return 0
    console.print(
        f"Takes {len(chosen)} of {len(MUTANTS)} rules out, one after the other, and plays their scenario: "
        "about five minutes for all; Ctrl-C ends it."
    )
    began = time.monotonic()
    intact: dict[str, Found] = {}
    shown: list[Shown] = []
    with tempfile.TemporaryDirectory() as temporary:
        for mutant in chosen:
            scenario = mutant.scenario.__name__
            if scenario not in intact:
                intact[scenario] = run_intact(mutant, Path(temporary) / scenario)
            shown.append(Shown(mutant, intact[scenario], run_without(mutant, Path(temporary) / mutant.name)))
            console.print(f"{mutant.name}: {_verdict(shown[-1])}", markup=False)
    console.print(_table(shown))
    failed = sum(not one.as_it_should for one in shown)
    console.print(f"{len(shown)} mutants, {failed} not as they should be, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def _table(shown: list[Shown]) -> Table:
    table = Table(
        "rule left out", "scenario", "intact", "without the rule", "", title="Rules of design.md §5b"
    )
    for one in shown:
        scenario = one.mutant.scenario.__name__.replace("_", " ")
        allowed = f" ({one.mutant.allowed} until compacted)" if one.mutant.allowed else ""
        table.add_row(one.mutant.rule, scenario, f"{one.intact}{allowed}", str(one.without), _verdict(one))
    return table


def _verdict(one: Shown) -> str:
    if not one.as_it_should:
        return "NOT AS IT SHOULD BE"
    return "green (covered)" if one.mutant.harm == "none" else "red"


if __name__ == "__main__":
    sys.exit(as_program(main))
