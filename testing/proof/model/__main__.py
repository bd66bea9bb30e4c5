"""Explores the protocol with all rules, then without each, and shows which events are lost or doubled."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from rich.console import Console
from rich.table import Table

from testing.harness.programs import as_program
from testing.proof.model.explore import Exploration, breadth_first, walk
from testing.proof.model.invariants import Violation
from testing.proof.model.labels import line
from testing.proof.model.rules import Bounds, Model
from testing.proof.model.table import BOTH, MIXED, ROWS, SETBACKS, THREE, TWO, Row

EXPLORED = (
    Bounds(THREE, 2),
    Bounds(MIXED, 1),
    Bounds(BOTH, 2),
    Bounds(TWO, 3),
    Bounds(TWO, 4, kinds=SETBACKS),
)
"""With all rules; three million states in total."""
WALKED = (Bounds((0, 1, 0, 0, 1, 0), 5, batch=3), Bounds((0, 1, 2, 0, 1, 2), 6, batch=3, chunks=(3, 2, 1)))
WALKS = 1_000


def main(words: list[str]) -> int:
    """Run everything; 0 if the rules hold and each row of the table has its violation."""
    parser = argparse.ArgumentParser(prog="python -m testing.proof.model", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", metavar="RULE", help="leave out only these: " + ", ".join(_names())
    )
    parser.add_argument("--walks", type=int, default=WALKS, help=f"random walks per bound; default {WALKS:,}")
    parser.add_argument("--seed", type=int, default=1, help="of the first walk")
    options = parser.parse_args(words)
    unknown = set(options.rows) - set(_names())
    if unknown:
        parser.error(f"there is no rule {', '.join(sorted(unknown))}")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    console.print(
        "Explores the protocol in every order of steps and faults, then without each rule"
        f"{': minutes' if options.rows else ': about five minutes'}; Ctrl-C ends it."
    )
    held = True
    if not options.rows:
        held = all(_explored(bounds, console) for bounds in EXPLORED)
        held &= all(_walked(bounds, options.seed, options.walks, console) for bounds in WALKED)
    shown = [row for row in ROWS if not options.rows or row.name in options.rows]
    needed = _rules(shown, console)
    console.print(f"{'The rules hold.' if held else 'THE RULES DO NOT HOLD.'}" if not options.rows else "")
    return 0 if held and needed else 1


def _names() -> list[str]:
    return [row.name for row in ROWS]


def _explored(bounds: Bounds, console: Console) -> bool:
    started = time.monotonic()

    def report(states: int, depth: int) -> None:
        if console.is_terminal:
            seconds = time.monotonic() - started
            console.print(f"  {states:,} states, depth {depth}, {seconds:.0f} s", end="\r")

    console.print(f"All rules, {bounds}:")
    found = breadth_first(Model(bounds), report=report)
    return _held(found, f"all {found.states:,} states, depth {found.depth}", started, console)


def _walked(bounds: Bounds, seed: int, walks: int, console: Console) -> bool:
    started = time.monotonic()
    console.print(f"All rules, random walks, {bounds}:")
    model, steps, faults = Model(bounds), 0, Counter[str]()
    found = Exploration(0, 0, 0)
    for one in range(seed, seed + walks):
        found = walk(model, one)
        steps += found.depth
        faults.update(found.faults())
        if found.violation is not Violation.NONE:
            console.print(f"  walk {one}:")
            break
    text = f"{walks:,} walks from seed {seed}, {steps:,} steps, {faults.total():,} faults"
    return _held(found, text, started, console)


def _held(found: Exploration, text: str, started: float, console: Console) -> bool:
    console.print(f"  {text}, {time.monotonic() - started:.0f} s: {_description(found.violation)}")
    if found.violation is Violation.NONE:
        return True
    console.print(f"  {line(found.trace)}", style="bold red")
    return False


def _rules(rows: list[Row], console: Console) -> bool:
    started = time.monotonic()
    table = Table(
        "rule left out", "violation", "states", "shortest trace after the archive start", title="Rules"
    )
    right = True
    for row in rows:
        found = row.found
        as_expected = found.violation is row.violation
        right &= as_expected
        result = found.violation if as_expected else f"{found.violation.upper()}, NOT {row.violation.upper()}"
        trace = line(found.trace) if found.trace else f"none within {row.bounds}"
        table.add_row(row.rule, result, f"{found.states:,}", trace, style="" if as_expected else "bold red")
    console.print(table)
    summary = "all as expected" if right else "NOT ALL AS EXPECTED"
    console.print(f"{len(rows)} rows, {summary}, {time.monotonic() - started:.0f} s")
    return right


def _description(violation: Violation) -> str:
    return "nothing lost, nothing doubled" if violation is Violation.NONE else str(violation).upper()


if __name__ == "__main__":
    sys.exit(as_program(main))
