"""Runs the pipeline under faults, seed after seed: `python -m testing.proof.chaos --seed 1 --runs 50`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from testing.harness.programs import unwind_on_signals
from testing.proof.chaos.report import line, markdown
from testing.proof.chaos.run import RECOVERY_SECONDS, Outcome, outcomes

RUNS_IN_TEN_MINUTES = 55
INTERRUPTED = 130


def main(words: list[str]) -> int:
    """Run and report; 0 if every run passed."""
    parser = argparse.ArgumentParser(prog="python -m testing.proof.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each further run has the next")
    parser.add_argument("--runs", type=int, default=RUNS_IN_TEN_MINUTES)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--report", type=Path, help="write the report to this file; default: print it")
    parser.add_argument("--folder", type=Path, help="where failed runs are kept; default: a temporary folder")
    parser.add_argument(
        "--timeout", type=float, default=RECOVERY_SECONDS, help="seconds within which a run must recover"
    )
    options = parser.parse_args(words)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    print(
        f"{options.runs} runs from seed {options.seed}, each a pipeline under faults and an audit: about "
        f"{10 * options.runs / RUNS_IN_TEN_MINUTES / options.jobs:.0f} minutes; Ctrl-C ends it.",
        flush=True,
    )
    started = time.monotonic()
    seeds = range(options.seed, options.seed + options.runs)
    ended: list[Outcome] = []
    try:
        with contextlib.closing(outcomes(seeds, options.jobs, folder, options.timeout)) as results:
            for outcome in results:
                ended.append(outcome)
                _print(outcome, folder, f"{len(ended)}/{options.runs}")
    except KeyboardInterrupt:
        print(f"Interrupted after {len(ended)} runs; all processes are stopped.", file=sys.stderr)
        return INTERRUPTED
    with contextlib.suppress(OSError):
        folder.rmdir()  # it is empty if no run failed
    report = markdown(ended, time.monotonic() - started, options.jobs)
    if options.report is None:
        print(report)
    else:
        options.report.write_text(report, encoding="utf-8")
    return int(any(outcome.failures for outcome in ended))


def _print(outcome: Outcome, folder: Path, place: str) -> None:
    print(f"{place} {line(outcome)}", flush=True)
    for failure in outcome.failures:
        print(f"  {failure}")
    if outcome.failures:
        print(
            f"  kept in {folder / str(outcome.seed)}; repeat it: SEED={outcome.seed} RUNS=1 make chaos",
            flush=True,
        )


if __name__ == "__main__":
    unwind_on_signals()
    sys.exit(main(sys.argv[1:]))
