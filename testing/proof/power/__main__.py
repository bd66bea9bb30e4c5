"""Seeded power cuts at length: `python -m testing.proof.power --runs 20`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from testing.harness.programs import unwind_on_signals
from testing.proof.power.run import run


def main(words: list[str]) -> int:
    """Run with one seed after the other; 0 if nothing is lost, doubled or altered."""
    parser = argparse.ArgumentParser(prog="python -m testing.proof.power", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args(words)
    failed = 0
    for seed in range(asked.seed, asked.seed + asked.runs):
        with tempfile.TemporaryDirectory() as folder:
            came = run(seed, Path(folder).resolve())
        passed = came.verdict.passed and came.staged == 0
        failed += not passed
        print(
            f"seed {seed}: {'passed' if passed else 'FAILED'}; taken away: {came.taken.bytes} bytes, "
            f"{came.taken.entries} entries; {came.staged} staged, {came.gaps} gaps; {came.verdict}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    unwind_on_signals()
    sys.exit(main(sys.argv[1:]))
