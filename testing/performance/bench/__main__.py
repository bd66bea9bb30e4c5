"""Measures the daemons beside what people would use instead, path by path. Asserts nothing about speed."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from testing.demo.source import Generated, Recorded
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import unwind_on_signals
from testing.harness.redis import NoServerError, find_server
from testing.performance.bench import buffered, receiving, remembering, sizes, sustaining, writing
from testing.performance.bench.child import ContestantError
from testing.performance.bench.course import Course
from testing.performance.bench.frames import RATE, make_frames
from testing.performance.bench.machine import keep_to, surroundings
from testing.performance.bench.report import section, write_report

if TYPE_CHECKING:
    from testing.performance.bench.outcome import Outcome

UNUSABLE = 2
INTERRUPTED = 128 + signal.SIGINT
RUNS = REPOSITORY / ".bench"
PATHS = {
    1: receiving.run,
    2: writing.run,
    3: sustaining.run,
    4: remembering.run,
    5: buffered.run,
    6: sizes.run,
}


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.performance.bench", description=__doc__)
    parser.add_argument("--paths", type=int, nargs="+", choices=PATHS, default=list(PATHS))
    parser.add_argument("--events", type=int, default=300_000, help="to generate")
    parser.add_argument("--source", type=Path, help="measure with this JSON-lines file of events instead")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the generated traffic")
    parser.add_argument("--cores", type=int, default=2, help="to keep to, all processes together")
    parser.add_argument("--minutes", type=float, default=30.0, help="after which no further repeat begins")
    parser.add_argument("--long", action="store_true", help="also ten million events waiting (path 4)")
    parser.add_argument("--folder", type=Path, help="for the report; default .bench/<time>")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Measure and report; 0 when done, 1 if a path failed, 2 if it cannot begin, 130 after Ctrl-C."""
    asked = arguments(words)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    unwind_on_signals()
    trouble = _unusable(asked)
    if trouble:
        console.print(f"This cannot begin: {trouble}", markup=False)
        return UNUSABLE
    folder: Path = asked.folder or RUNS / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    try:
        return _measure(asked, folder, console)
    except KeyboardInterrupt:
        console.print("Interrupted; everything it started is ended.")
        return INTERRUPTED


def _measure(asked: argparse.Namespace, folder: Path, console: Console) -> int:
    began, since = time.strftime("%Y-%m-%d %H:%M"), time.monotonic()

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - since:5.0f} s  {text}", markup=False)

    around = surroundings(keep_to(asked.cores))
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        source = (
            Generated(asked.events / RATE, RATE, asked.seed)
            if asked.source is None
            else Recorded(asked.source, RATE)
        )
        say(f"preparing {source}")
        frames = make_frames(Path(temporary), source)
        if not frames.events:
            console.print(f"This cannot begin: there is no event in {source}", markup=False)
            return UNUSABLE
        told = f"{frames.told} of {frames.size / frames.events:.0f} bytes, up to {asked.repeats} times each"
        outcomes: list[Outcome] = []
        failed = 0
        for path in sorted(set(asked.paths)):
            say(f"path {path}")
            place = Path(temporary) / f"path{path}"
            place.mkdir()
            deadline = since + asked.minutes * 60
            course = Course(
                frames, place, asked.repeats, int(around["cores used"]), asked.seed, deadline, say, asked.long
            )
            try:
                outcomes.append(PATHS[path](course))
            except (TimeoutError, AssertionError, ContestantError) as error:
                console.print(f"PATH {path} FAILED: {error}", markup=False, style="bold red")
                failed += 1
                continue
            console.print("\n".join(section(outcomes[-1])), markup=False, soft_wrap=True)
            # After each, so that an interrupted run leaves what it found.
            write_report(outcomes, around, told, began, folder)
    console.print(f"Report: {folder / 'report.html'}", markup=False, soft_wrap=True)
    return int(failed > 0)


def _unusable(asked: argparse.Namespace) -> str:
    try:
        find_server()
    except NoServerError as error:
        return str(error)
    if asked.source is not None and not asked.source.is_file():
        return f"--source {asked.source}: there is no such file"
    wrong = [name for name in ("events", "repeats", "cores") if getattr(asked, name) < 1]
    return f"--{wrong[0]} must be at least 1" if wrong else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
