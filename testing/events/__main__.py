"""Compare the traffic with the network's figures: `python -m testing.events`; exits with 1 if one is off."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from testing.events.report import markdown, sections
from testing.events.traffic import Traffic

FIRST_US = 1_783_175_888_000_000
"""Time of the capture of July 2026."""
RATE = 350.0
"""The network's mean rate in the summer of 2026. Times that are further apart compress less well."""
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
    parsed = parser.parse_args(words)
    actors = f"the actors of {parsed.longest:,} s"
    print(f"Counting {parsed.events:,} events and {actors} ...", file=sys.stderr, flush=True)
    captured = parsed.captured if parsed.captured.is_dir() else None
    report = sections(Traffic(parsed.seed, FIRST_US, RATE), parsed.events, parsed.longest, captured)
    print(markdown(report))
    return 0 if all(row.holds for rows in report.values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
