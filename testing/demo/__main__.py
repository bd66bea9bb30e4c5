"""The whole pipeline on this machine, without Docker or internet, ending with a proof.

The files of a demo stay in `.demo/<time>/` until the next demo starts; `.demo/latest` links to the newest.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rich.console import Console

from testing.demo import live, play
from testing.demo.play import DemoError
from testing.demo.proof import table
from testing.demo.source import Generated, Recorded, Source
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import unwind_on_signals
from testing.harness.redis import NoServerError, find_server

if TYPE_CHECKING:
    from testing.demo.proof import Proof
    from testing.harness.pipeline import Pipeline


UNUSABLE = 2
INTERRUPTED = 128 + signal.SIGINT
SECONDS = 60.0
DEMOS = REPOSITORY / ".demo"
MARK = ".made-by-the-demo"
"""A file in every demo's folder; its flock is held while the demo runs."""
LATEST = "latest"


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.demo", description=__doc__)
    parser.add_argument("--source", type=Path, help="replay this JSON-lines file; default: generated events")
    parser.add_argument(
        "--seconds", type=float, help=f"of traffic (default {SECONDS:g}); --live: how long to run"
    )
    parser.add_argument("--rate", type=float, default=2000.0, help="events a second")
    parser.add_argument("--seed", type=int, default=1, help="of the generated traffic")
    parser.add_argument(
        "--archive", type=Path, help="where to write (default: .demo/<time>/archive; live: ./data)"
    )
    parser.add_argument("--live", action="store_true", help="read Bluesky's public hosts until Ctrl-C")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Run the demo or --live; returns 0 only if the proof holds, 130 after Ctrl-C, 2 if it cannot start."""
    parsed = arguments(words)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    unwind_on_signals()
    try:
        find_server()
    except NoServerError as error:
        console.print(f"The demo cannot start: {error}", markup=False)
        return UNUSABLE
    if parsed.live:
        return _live(parsed, console)
    seconds = parsed.seconds or SECONDS
    source: Source = Generated(seconds, parsed.rate, parsed.seed)
    if parsed.source is not None:
        source = Recorded(parsed.source, parsed.rate)
    problem = _unusable(parsed, source)
    if problem:
        console.print(f"The demo cannot start: {problem}", markup=False)
        return UNUSABLE
    remove_older(DEMOS)
    folder, lock = make_folder(DEMOS)
    with lock:
        _announce(console, source, folder)
        pipeline = play.make_pipeline(source, folder, parsed.archive, seconds)
        return _demo(pipeline, source, console, seconds)


def report_proof(proof: Proof, console: Console, origin: str) -> int:
    """Print a proof and how to read the archive; returns 0 if the proof holds, otherwise 1."""
    console.print(table(proof, origin))
    if not proof.holds:
        console.print(str(proof.audit), markup=False)
        for line, found, expected in proof.readings:
            console.print(f"{found:,} rows of {expected:,}: {line}", markup=False, soft_wrap=True)
        console.print("THE PROOF FAILS.", style="bold red")
        return 1
    console.print(
        f"{proof.truth:,} {origin}, {proof.truth:,} committed, 0 lost, 0 doubled, 0 altered; "
        f"{abs(proof.saved):.0%} {'smaller' if proof.saved >= 0 else 'larger'} than the JSON.",
        style="bold green",
    )
    console.print("Read the archive in Python (both lines were just run):")
    for line, found, _ in proof.readings:
        console.print(f"  {line}   # {found:,}", markup=False, soft_wrap=True)
    return 0


def _demo(pipeline: Pipeline, source: Source, console: Console, seconds: float) -> int:
    began = time.monotonic()
    try:
        proof = play.play(pipeline, source, console, seconds)
        code = report_proof(proof, console, "generated" if isinstance(source, Generated) else "in the file")
    except DemoError as error:
        console.print(f"THE DEMO FAILS: {error}", style="bold red", markup=False)
        code = 1
    except KeyboardInterrupt:
        code = _interrupted(pipeline, console)
    finally:
        pipeline.end()
    console.print(
        f"Archive, logs and Redis' data: {_shown(pipeline.folder)} ({time.monotonic() - began:.0f} s). "
        f"Query the archive: ARCHIVE_ROOT={_shown(pipeline.root)} make archive ARGS=status",
        soft_wrap=True,
    )
    return code


def _live(parsed: argparse.Namespace, console: Console) -> int:
    archive: Path = (parsed.archive or Path("data")).resolve()
    console.print(
        f"Archives Bluesky's public Jetstream in {_shown(archive)}, "
        + ("until Ctrl-C." if parsed.seconds is None else f"for {parsed.seconds:g} s.")
        + " Ctrl-C stops it: nothing received is lost, and the next run continues from there."
    )
    pipeline = live.make_pipeline(archive)
    try:
        live.run(pipeline, console, parsed.seconds)
        code = 0
    except DemoError as error:
        console.print(f"THE RUN FAILED: {error}", style="bold red", markup=False)
        code = 1
    except KeyboardInterrupt:
        console.print("Stopped immediately; the next run continues from what is stored.")
        code = INTERRUPTED
    finally:
        pipeline.end()
    console.print(live.summary(archive))
    return code


def _unusable(parsed: argparse.Namespace, source: Source) -> str | None:
    if parsed.source is not None and not parsed.source.is_file():
        return f"there is no file {parsed.source}"
    if isinstance(source, Recorded) and source.events == 0:
        return f"{parsed.source} holds no event: one JSON event of Jetstream a line is expected"
    if parsed.archive is not None and parsed.archive.exists() and any(parsed.archive.iterdir()):
        return f"{parsed.archive} is not empty; the proof needs an empty folder"
    return None


def _announce(console: Console, source: Source, folder: Path) -> None:
    console.print(
        f"Sends {source} from a fake Jetstream host, {source.rate:,.0f} a second, through the ingester, "
        "Redis and the writer into Parquet files, then checks that each is in the files exactly once. "
        f"Takes about {_expected_seconds(source):.0f} s; Ctrl-C stops it. Files: {_shown(folder)}"
    )


def _expected_seconds(source: Source) -> float:
    """Return the time for traffic, start and last round, and the proof (measured: 9,000 events a second)."""
    return 6 + source.events / source.rate - source.backlog + source.events / 9000


def _interrupted(pipeline: Pipeline, console: Console) -> int:
    console.print("Interrupted: stopping ingester and writer ...")
    codes = {
        name: daemon.stop() for name, daemon in (("ingester", pipeline.ingester), ("writer", pipeline.writer))
    }
    ended = ", ".join(f"the {name} ended with exit code {code}" for name, code in codes.items())
    console.print(
        f"{ended}; there is no proof. Events that are not committed stay in Redis' append-only file."
    )
    return INTERRUPTED


def _shown(path: Path) -> str:
    """Return a path for output: relative if it is below the current folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def make_folder(parent: Path) -> tuple[Path, IO[str]]:
    """Make this demo's folder; returns it and its lock, which is held until the file is closed."""
    parent.mkdir(exist_ok=True)
    name = time.strftime("%Y%m%d-%H%M%S")
    folder, number = parent / name, 1
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    folder.mkdir()
    lock = (folder / MARK).open("w", encoding="ascii")
    fcntl.flock(lock, fcntl.LOCK_EX)
    latest = parent / LATEST
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    return folder, lock


def remove_older(parent: Path) -> list[Path]:
    """Remove the folders of demos that have ended; returns them."""
    removed = []
    for mark in sorted(parent.glob(f"*/{MARK}")):
        if mark.parent.is_symlink():
            continue
        with mark.open("r", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # that demo still runs
            shutil.rmtree(mark.parent)
            removed.append(mark.parent)
    return removed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
