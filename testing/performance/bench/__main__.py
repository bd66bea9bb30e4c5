"""Measure the daemons beside alternatives, path by path. It reports figures and asserts none."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from testing.demo.source import Generated, Recorded
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import INTERRUPTED, unwind_on_signals
from testing.harness.redis import NoServerError, find_server
from testing.performance.bench import buffered, end_to_end, memory, receiving, sizes, writing
from testing.performance.bench.child import ContestantError
from testing.performance.bench.frames import RATE, make_frames
from testing.performance.bench.report import section, write_report
from testing.performance.bench.run import BenchRun, describe_machine, limit_cores

if TYPE_CHECKING:
    from testing.performance.bench.outcome import Outcome

UNUSABLE = 2
RUNS = REPOSITORY / ".bench"
PATHS = {
    1: receiving.run,
    2: writing.run,
    3: end_to_end.run,
    4: memory.run,
    5: buffered.run,
    6: sizes.run,
}


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.performance.bench", description=__doc__)
    parser.add_argument("--paths", type=int, nargs="+", choices=PATHS, default=list(PATHS))
    parser.add_argument("--events", type=int, default=300_000, help="number of generated events")
    parser.add_argument("--source", type=Path, help="measure with this JSON-lines file of events instead")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="seed of the generated traffic")
    parser.add_argument("--cores", type=int, default=2, help="number of cores for all processes together")
    parser.add_argument("--minutes", type=float, default=30.0, help="after which no further repeat starts")
    parser.add_argument("--long", action="store_true", help="also a backlog of ten million events (path 4)")
    parser.add_argument("--folder", type=Path, help="folder of the report; default .bench/<time>")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Measure and report; returns 0 when done, 1 if a path failed, 2 if it cannot start, 130 after Ctrl-C."""
    parsed = arguments(words)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    unwind_on_signals()
    problem = _unusable(parsed)
    if problem:
        console.print(f"The bench cannot start: {problem}", markup=False)
        return UNUSABLE
    folder: Path = parsed.folder or RUNS / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    try:
        return _measure(parsed, folder, console)
    except KeyboardInterrupt:
        console.print("Interrupted: every started process was ended.")
        return INTERRUPTED


def _measure(parsed: argparse.Namespace, folder: Path, console: Console) -> int:
    began, since = time.strftime("%Y-%m-%d %H:%M"), time.monotonic()

    def note(text: str) -> None:
        console.print(f"{time.monotonic() - since:5.0f} s  {text}", markup=False)

    machine = describe_machine(limit_cores(parsed.cores))
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        source = (
            Generated(parsed.events / RATE, RATE, parsed.seed)
            if parsed.source is None
            else Recorded(parsed.source, RATE)
        )
        note(f"preparing {source}")
        frames = make_frames(Path(temporary), source)
        if not frames.events:
            console.print(f"The bench cannot start: there is no event in {source}", markup=False)
            return UNUSABLE
        mean = frames.size / frames.events
        description = f"{frames.description} of {mean:.0f} bytes, up to {parsed.repeats} times each"
        outcomes: list[Outcome] = []
        failed = 0
        for path in sorted(set(parsed.paths)):
            note(f"path {path}")
            work_folder = Path(temporary) / f"path{path}"
            work_folder.mkdir()
            deadline = since + parsed.minutes * 60
            bench = BenchRun(
                frames,
                work_folder,
                parsed.repeats,
                int(machine["cores used"]),
                parsed.seed,
                deadline,
                note,
                parsed.long,
            )
            try:
                outcomes.append(PATHS[path](bench))
            except (TimeoutError, AssertionError, ContestantError) as error:
                console.print(f"PATH {path} FAILED: {error}", markup=False, style="bold red")
                failed += 1
                continue
            console.print("\n".join(section(outcomes[-1])), markup=False, soft_wrap=True)
            # After each path, so that an interrupted run leaves its results.
            write_report(outcomes, machine, description, began, folder)
    console.print(f"Report: {folder / 'report.html'}", markup=False, soft_wrap=True)
    return int(failed > 0)


def _unusable(parsed: argparse.Namespace) -> str:
    try:
        find_server()
    except NoServerError as error:
        return str(error)
    if parsed.source is not None and not parsed.source.is_file():
        return f"--source {parsed.source}: there is no such file"
    wrong = [name for name in ("events", "repeats", "cores") if getattr(parsed, name) < 1]
    return f"--{wrong[0]} must be at least 1" if wrong else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
