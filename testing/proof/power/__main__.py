"""Seeded power cuts: `python -m testing.proof.power --runs 20`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from testing.harness.programs import unwind_on_signals
from testing.proof.power.run import run


def main(words: list[str]) -> int:
    """Run seed after seed; 0 if nothing is lost, doubled or altered."""
    parser = argparse.ArgumentParser(prog="python -m testing.proof.power", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(words)
    failed = 0
    for seed in range(options.seed, options.seed + options.runs):
        with tempfile.TemporaryDirectory() as folder:
            outcome = run(seed, Path(folder).resolve())
        passed = outcome.verdict.passed and outcome.staged == 0
        failed += not passed
        print(
            f"seed {seed}: {'passed' if passed else 'FAILED'}; discarded: {outcome.discarded.bytes} bytes, "
            f"{outcome.discarded.entries} entries; {outcome.staged} staged, {outcome.gaps} gaps; "
            f"{outcome.verdict}",
            flush=True,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    unwind_on_signals()
    sys.exit(main(sys.argv[1:]))
