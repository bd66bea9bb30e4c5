"""Explores the protocol with all rules, then leaves out one after the other and shows what comes of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from rich.console import Console
from rich.table import Table

from testing.harness.programs import as_program
from testing.proof.model.bounds import Bounds, Model
from testing.proof.model.explore import Found, breadth_first, walk
from testing.proof.model.harm import Harm
from testing.proof.model.table import BOTH, MIXED, ROWS, SETBACKS, THREE, TWO, Row
from testing.proof.model.trace import line

EXPLORED = (
    Bounds(THREE, 2),
    Bounds(MIXED, 1),
    Bounds(BOTH, 2),
    Bounds(TWO, 3),
    Bounds(TWO, 4, kinds=SETBACKS),
)
"""With all rules; three million states together."""
WALKED = (Bounds((0, 1, 0, 0, 1, 0), 5, batch=3), Bounds((0, 1, 2, 0, 1, 2), 6, batch=3, chunks=(3, 2, 1)))
WALKS = 1_000


def main(words: list[str]) -> int:
    """Run all of it; 0 if the rules hold and each is needed as the table says."""
    parser = argparse.ArgumentParser(prog="python -m testing.proof.model", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", metavar="RULE", help="only leave out these: " + ", ".join(_names())
    )
    parser.add_argument("--walks", type=int, default=WALKS, help=f"random walks a bound; default {WALKS:,}")
    parser.add_argument("--seed", type=int, default=1, help="of the first walk")
    asked = parser.parse_args(words)
    unknown = set(asked.rows) - set(_names())
    if unknown:
        parser.error(f"there is no rule {', '.join(sorted(unknown))}")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
    console.print(
        "Explores the protocol in every order of steps and faults, then without each rule"
        f"{': minutes' if asked.rows else ': about five minutes'}; Ctrl-C ends it."
    )
    held = True
    if not asked.rows:
        held = all(_explored(bounds, console) for bounds in EXPLORED)
        held &= all(_walked(bounds, asked.seed, asked.walks, console) for bounds in WALKED)
    shown = [row for row in ROWS if not asked.rows or row.name in asked.rows]
    needed = _rules(shown, console)
    console.print(f"{'The rules hold.' if held else 'THE RULES DO NOT HOLD.'}" if not asked.rows else "")
    return 0 if held and needed else 1


def _names() -> list[str]:
    return [row.name for row in ROWS]


def _explored(bounds: Bounds, console: Console) -> bool:
    began = time.monotonic()

    def told(states: int, depth: int) -> None:
        if console.is_terminal:
            seconds = time.monotonic() - began
            console.print(f"  {states:,} states, depth {depth}, {seconds:.0f} s", end="\r")

    console.print(f"All rules, {bounds}:")
    found = breadth_first(Model(bounds), told=told)
    return _held(found, f"{found.states:,} states, all there are, depth {found.depth}", began, console)


def _walked(bounds: Bounds, seed: int, walks: int, console: Console) -> bool:
    began = time.monotonic()
    console.print(f"All rules, random walks, {bounds}:")
    model, steps, faults = Model(bounds), 0, Counter[str]()
    found = Found(0, 0, 0)
    for one in range(seed, seed + walks):
        found = walk(model, one)
        steps += found.depth
        faults.update(found.faults())
        if found.harm is not Harm.NONE:
            console.print(f"  walk {one}:")
            break
    told = f"{walks:,} walks from seed {seed}, {steps:,} steps, {faults.total():,} faults"
    return _held(found, told, began, console)


def _held(found: Found, told: str, began: float, console: Console) -> bool:
    console.print(f"  {told}, {time.monotonic() - began:.0f} s: {_wrong(found.harm)}")
    if found.harm is Harm.NONE:
        return True
    console.print(f"  {line(found.trace)}", style="bold red")
    return False


def _rules(rows: list[Row], console: Console) -> bool:
    began = time.monotonic()
    table = Table(
        "rule left out", "result", "states", "shortest trace, after the archive start", title="Rules"
    )
    right = True
    for row in rows:
        found = row.found
        as_said = found.harm is row.harm
        right &= as_said
        result = found.harm if as_said else f"{found.harm.upper()}, NOT {row.harm.upper()}"
        told = line(found.trace) if found.trace else f"none within {row.bounds}"
        table.add_row(row.rule, result, f"{found.states:,}", told, style="" if as_said else "bold red")
    console.print(table)
    wrong = "all as they should be" if right else "NOT ALL AS THEY SHOULD BE"
    console.print(f"{len(rows)} rows, {wrong}, {time.monotonic() - began:.0f} s")
    return right


def _wrong(harm: Harm) -> str:
    return "nothing lost, nothing doubled" if harm is Harm.NONE else str(harm).upper()


if __name__ == "__main__":
    sys.exit(as_program(main))
