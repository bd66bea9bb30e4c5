"""Two days of event time against the whole pipeline: compressed, in real time, or on the public hosts."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from testing.harness.programs import unwind_on_signals
from testing.harness.redis import NoServerError, find_server
from testing.performance.load.__main__ import INTERRUPTED, RUNS, UNUSABLE
from testing.performance.load.endure import Soak, endure
from testing.performance.load.report import write_report
from testing.performance.load.run import LoadError
from testing.performance.load.scenario import HOUR, HOURS, Scenario
from testing.performance.load.telling import show, teller
from testing.performance.load.verdict import judge, limits_of

COMPRESSED_SECONDS = 2400.0
COMPRESSED_RATE = 1_500.0
"""Events a wall second on average, so that two days fit into what a small machine can do and audit."""
REAL_RATE = 500.0


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.performance.load.soak", description=__doc__)
    parser.add_argument("--realtime", action="store_true", help="take 48 hours, as the network does")
    parser.add_argument("--live", action="store_true", help="read the public hosts, which takes 48 hours too")
    parser.add_argument("--hosts", help="--live: these instead of the public ones, comma-separated")
    parser.add_argument("--seconds", type=float, help=f"take so long (default {COMPRESSED_SECONDS:g})")
    parser.add_argument("--hours", type=float, default=HOURS, help="end after so many hours of event time")
    parser.add_argument("--rate", type=float, help="events a wall second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where everything is left; default .load/soak-<time>")
    parser.add_argument("--keep", action="store_true", help="leave the archive there too")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Run; 0 if every limit holds, 1 if not, 2 if it cannot begin, 130 after Ctrl-C."""
    asked = arguments(words)
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    unwind_on_signals()
    is_real = asked.realtime or asked.live
    speed = asked.hours * HOUR / (asked.seconds or (asked.hours * HOUR if is_real else COMPRESSED_SECONDS))
    rate = asked.rate or (REAL_RATE if is_real else COMPRESSED_RATE)
    scenario = Scenario(speed, asked.hours)
    hosts = tuple(asked.hosts.split(",")) if asked.hosts else ()
    folder = asked.folder or RUNS / f"soak-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True)
    console.print(
        f"{asked.hours:g} hours of event time in {scenario.seconds:,.0f} s, {speed:g} times as fast, "
        f"{len(scenario.acts())} acts; files: {folder}"
    )
    try:
        find_server()
        result = endure(
            Soak(scenario, rate, asked.seed, asked.live, hosts),
            folder / "pipeline",
            teller(console, scenario.seconds),
            lambda text: console.print(f"* {text}", markup=False),
        )
    except NoServerError as error:
        console.print(f"This cannot begin: {error}", markup=False)
        return UNUSABLE
    except (LoadError, TimeoutError, AssertionError) as error:
        console.print(f"THE SOAK FAILED: {error}", markup=False, style="bold red")
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted; everything it started is ended, and nothing is judged.")
        return INTERRUPTED
    findings = judge(result, limits_of(result.shape.name))
    report = write_report(result, findings, folder)
    show(findings, console)
    console.print(f"Report: {report}", markup=False, soft_wrap=True)
    if not asked.keep:
        shutil.rmtree(folder / "pipeline" / "archive", ignore_errors=True)
        shutil.rmtree(folder / "pipeline" / "redis", ignore_errors=True)
    return int(not all(finding.holds for finding in findings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
