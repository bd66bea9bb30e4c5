"""Loads the whole pipeline and says whether it held; exits with 1 when a limit is broken, naming each."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from testing.harness.daemons import REPOSITORY
from testing.harness.programs import unwind_on_signals
from testing.harness.redis import NoServerError, find_server
from testing.performance.load.containers import Containers
from testing.performance.load.plan import SHAPES
from testing.performance.load.report import write_report
from testing.performance.load.run import LoadError, run
from testing.performance.load.target import Processes
from testing.performance.load.telling import show, teller
from testing.performance.load.verdict import judge, limits_of

if TYPE_CHECKING:
    from testing.performance.load.target import Target

UNUSABLE = 2
INTERRUPTED = 128 + signal.SIGINT
RUNS = REPOSITORY / ".load"


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.performance.load", description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--target", choices=("processes", "compose"), default="processes")
    parser.add_argument("--seconds", type=float, help="stretch or squeeze the shape to so long")
    parser.add_argument("--rate", type=float, help="events a second at its peak")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic")
    parser.add_argument("--processes", type=int, default=1, help="Locust's worker processes")
    parser.add_argument("--web", action="store_true", help="Locust's pages on 127.0.0.1:8089 meanwhile")
    parser.add_argument("--folder", type=Path, help="where everything is left; default .load/<shape>-<time>")
    parser.add_argument("--keep", action="store_true", help="leave the archive and Redis' data there too")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Run; 0 if every limit holds, 1 if not, 2 if it cannot begin, 130 after Ctrl-C."""
    asked = arguments(words)
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    unwind_on_signals()
    shape = SHAPES[asked.shape].scaled(asked.seconds, asked.rate)
    folder = asked.folder or RUNS / f"{shape.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True)
    console.print(
        f"{shape.name}: {shape.seconds:,.0f} s, up to {shape.peak:,.0f} events/s, {shape.events:,.0f} in all "
        f"against {asked.target}; files: {folder}"
    )
    try:
        result = run(
            _target(asked, folder / "pipeline"),
            shape,
            teller(console, shape.seconds),
            lambda text: console.print(f"* {text}", markup=False),
            processes=asked.processes,
            web=asked.web,
        )
    except NoServerError as error:
        console.print(f"This cannot begin: {error}", markup=False)
        return UNUSABLE
    except (LoadError, TimeoutError, AssertionError) as error:
        console.print(f"THE RUN FAILED: {error}", markup=False, style="bold red")
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted; everything it started is ended, and nothing is judged.")
        return INTERRUPTED
    findings = judge(result, limits_of(shape.name))
    report = write_report(result, findings, folder)
    show(findings, console)
    console.print(f"Report: {report}", markup=False, soft_wrap=True)
    if not asked.keep:
        for bulky in ("archive", "redis", "stack"):
            shutil.rmtree(folder / "pipeline" / bulky, ignore_errors=True)
    return int(not all(finding.holds for finding in findings))


def _target(asked: argparse.Namespace, folder: Path) -> Target:
    folder.mkdir(parents=True)
    if asked.target == "compose":
        return Containers(folder, asked.seed)
    find_server()
    return Processes(folder, asked.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
