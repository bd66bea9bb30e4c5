"""Load the whole pipeline and judge the limits; exits with 1 and the names of broken limits."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from testing.harness.daemons import REPOSITORY
from testing.harness.programs import INTERRUPTED, unwind_on_signals
from testing.harness.redis import NoServerError, find_server
from testing.performance.load.plan import SHAPES
from testing.performance.load.report import print_findings, progress_printer, write_report
from testing.performance.load.run import LoadError, run
from testing.performance.load.target import Containers, Processes
from testing.performance.load.verdict import judge, limits_of

if TYPE_CHECKING:
    from testing.performance.load.target import Target

UNUSABLE = 2
RUNS = REPOSITORY / ".load"


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.performance.load", description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--target", choices=("processes", "compose"), default="processes")
    parser.add_argument("--seconds", type=float, help="scale the shape to this duration")
    parser.add_argument("--rate", type=float, help="peak rate in events per second")
    parser.add_argument("--seed", type=int, default=1, help="seed of the traffic")
    parser.add_argument("--processes", type=int, default=1, help="Locust's worker processes")
    parser.add_argument("--web", action="store_true", help="serve Locust's web pages on 127.0.0.1:8089")
    parser.add_argument("--folder", type=Path, help="folder of all files; default .load/<shape>-<time>")
    parser.add_argument("--keep", action="store_true", help="keep the archive and Redis' data there too")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Run; returns 0 if every limit holds, 1 if not, 2 if it cannot start, 130 after Ctrl-C."""
    parsed = arguments(words)
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    unwind_on_signals()
    shape = SHAPES[parsed.shape].scaled(parsed.seconds, parsed.rate)
    folder = parsed.folder or RUNS / f"{shape.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True)
    console.print(
        f"{shape.name}: {shape.seconds:,.0f} s, up to {shape.peak:,.0f} events/s, {shape.events:,.0f} in all "
        f"against {parsed.target}; files: {folder}"
    )
    try:
        result = run(
            _target(parsed, folder / "pipeline"),
            shape,
            progress_printer(console, shape.seconds),
            lambda text: console.print(f"* {text}", markup=False),
            processes=parsed.processes,
            web=parsed.web,
        )
    except NoServerError as error:
        console.print(f"The run cannot start: {error}", markup=False)
        return UNUSABLE
    except (LoadError, TimeoutError, AssertionError) as error:
        console.print(f"THE RUN FAILED: {error}", markup=False, style="bold red")
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted: every started process was ended; there is no result.")
        return INTERRUPTED
    findings = judge(result, limits_of(shape.name))
    report = write_report(result, findings, folder)
    print_findings(findings, console)
    console.print(f"Report: {report}", markup=False, soft_wrap=True)
    if not parsed.keep:
        for bulky in ("archive", "redis", "stack"):
            shutil.rmtree(folder / "pipeline" / bulky, ignore_errors=True)
    return int(not all(finding.holds for finding in findings))


def _target(parsed: argparse.Namespace, folder: Path) -> Target:
    folder.mkdir(parents=True)
    if parsed.target == "compose":
        return Containers(folder, parsed.seed)
    find_server()
    return Processes(folder, parsed.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
