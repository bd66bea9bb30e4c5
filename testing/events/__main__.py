"""Prints the traffic beside the network's figures: `python -m testing.events`; exits with 1 if one is off."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from testing.events.report import markdown, sections
from testing.events.traffic import Traffic

FIRST_US = 1_783_175_888_000_000
"""The instant of the capture of July 2026."""
RATE = 350.0
"""What the network had in the summer of 2026, on average. Times further apart gzip less well."""
CAPTURED = Path(__file__).resolve().parents[3] / "shared" / "data"


def main(words: list[str]) -> int:
    """Generate, count, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m testing.events", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--longest", type=int, default=3_600, help="seconds in which actors are counted")
    parser.add_argument(
        "--captured", type=Path, default=CAPTURED, help="folder of real events, if there is one"
    )
    asked = parser.parse_args(words)
    actors = f"the actors of {asked.longest:,} s"
    print(f"Counting {asked.events:,} events and {actors} ...", file=sys.stderr, flush=True)
    captured = asked.captured if asked.captured.is_dir() else None
    told = sections(Traffic(asked.seed, FIRST_US, RATE), asked.events, asked.longest, captured)
    print(markdown(told))
    return 0 if all(row.holds for rows in told.values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
