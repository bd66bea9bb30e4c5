"""Runs under faults, one seed after another: `python -m testing.proof.chaos --seed 1 --runs 50`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from testing.harness.programs import unwind_on_signals
from testing.proof.chaos.jobs import outcomes
from testing.proof.chaos.report import line, markdown
from testing.proof.chaos.run import RECOVERY_SECONDS, Outcome

TEN_MINUTES_OF_RUNS = 55
INTERRUPTED = 130


def main(words: list[str]) -> int:
    """Run and report; 0 if every run passed."""
    parser = argparse.ArgumentParser(prog="python -m testing.proof.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each further one has the next")
    parser.add_argument("--runs", type=int, default=TEN_MINUTES_OF_RUNS)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side; they wait a lot")
    parser.add_argument("--report", type=Path, help="write the report here; default: print it")
    parser.add_argument("--folder", type=Path, help="where failed runs are kept; default: a temporary one")
    parser.add_argument(
        "--patience", type=float, default=RECOVERY_SECONDS, help="seconds in which a run must recover"
    )
    asked = parser.parse_args(words)
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    print(
        f"{asked.runs} runs from seed {asked.seed}, each a whole pipeline under faults, then audited: some "
        f"{10 * asked.runs / TEN_MINUTES_OF_RUNS / asked.jobs:.0f} minutes; Ctrl-C ends it.",
        flush=True,
    )
    began = time.monotonic()
    seeds = range(asked.seed, asked.seed + asked.runs)
    ended: list[Outcome] = []
    try:
        with contextlib.closing(outcomes(seeds, asked.jobs, folder, asked.patience)) as coming:
            for outcome in coming:
                ended.append(outcome)
                _tell(outcome, folder, f"{len(ended)}/{asked.runs}")
    except KeyboardInterrupt:
        print(f"Interrupted after {len(ended)} runs; everything it started is ended.", file=sys.stderr)
        return INTERRUPTED
    with contextlib.suppress(OSError):
        folder.rmdir()  # nothing was kept
    report = markdown(ended, time.monotonic() - began, asked.jobs)
    if asked.report is None:
        print(report)
    else:
        asked.report.write_text(report, encoding="utf-8")
    return int(any(outcome.wrong for outcome in ended))


def _tell(outcome: Outcome, folder: Path, place: str) -> None:
    print(f"{place} {line(outcome)}", flush=True)
    for wrong in outcome.wrong:
        print(f"  {wrong}")
    if outcome.wrong:
        print(
            f"  kept in {folder / str(outcome.seed)}; again: SEED={outcome.seed} RUNS=1 make chaos",
            flush=True,
        )


if __name__ == "__main__":
    unwind_on_signals()
    sys.exit(main(sys.argv[1:]))
