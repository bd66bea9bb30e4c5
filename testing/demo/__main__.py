"""The whole pipeline on this machine, with no Docker and no internet, ending with a proof."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from testing.demo import live, play
from testing.demo.folder import make_folder, remove_older
from testing.demo.proof import table
from testing.demo.source import Generated, Recorded, Source
from testing.demo.stage import DemoError
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


def arguments(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m testing.demo", description=__doc__)
    parser.add_argument(
        "--source", type=Path, help="replay this JSON-lines file of events; default: generated"
    )
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
    """Run what is asked for; return 0 only when the proof holds, 130 after Ctrl-C, 2 if it cannot begin."""
    asked = arguments(words)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    unwind_on_signals()
    try:
        find_server()
    except NoServerError as error:
        console.print(f"This cannot begin: {error}", markup=False)
        return UNUSABLE
    if asked.live:
        return _live(asked, console)
    seconds = asked.seconds or SECONDS
    source: Source = Generated(seconds, asked.rate, asked.seed)
    if asked.source is not None:
        source = Recorded(asked.source, asked.rate)
    trouble = _unusable(asked, source)
    if trouble:
        console.print(f"This cannot begin: {trouble}", markup=False)
        return UNUSABLE
    remove_older(DEMOS)
    folder, lock = make_folder(DEMOS)
    with lock:
        _announce(console, source, folder)
        pipeline = play.make_pipeline(source, folder, asked.archive, seconds)
        return _demo(pipeline, source, console, seconds)


def verdict(proof: Proof, console: Console, origin: str) -> int:
    """Show a proof and the lines to read the archive with; return the exit status that tells its truth."""
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
    console.print("Read it yourself, in Python (tried just now):")
    for line, found, _ in proof.readings:
        console.print(f"  {line}   # {found:,}", markup=False, soft_wrap=True)
    return 0


def _demo(pipeline: Pipeline, source: Source, console: Console, seconds: float) -> int:
    began = time.monotonic()
    try:
        proof = play.play(pipeline, source, console, seconds)
        code = verdict(proof, console, "generated" if isinstance(source, Generated) else "in the file")
    except DemoError as error:
        console.print(f"THE DEMO FAILS: {error}", style="bold red", markup=False)
        code = 1
    except KeyboardInterrupt:
        code = _interrupted(pipeline, console)
    finally:
        pipeline.end()
    console.print(
        f"Archive, logs and Redis' data: {_near(pipeline.folder)} ({time.monotonic() - began:.0f} s). "
        f"Ask the archive: ARCHIVE_ROOT={_near(pipeline.root)} make archive ARGS=status",
        soft_wrap=True,
    )
    return code


def _live(asked: argparse.Namespace, console: Console) -> int:
    archive: Path = (asked.archive or Path("data")).resolve()
    console.print(
        f"Reads Bluesky's public Jetstream into {_near(archive)}, "
        + ("until Ctrl-C." if asked.seconds is None else f"for {asked.seconds:g} s.")
        + " Ctrl-C stops in order: nothing received is lost, and the next run goes on from there."
    )
    pipeline = live.make_pipeline(archive)
    try:
        live.run(pipeline, console, asked.seconds)
        code = 0
    except DemoError as error:
        console.print(f"IT FAILED: {error}", style="bold red", markup=False)
        code = 1
    except KeyboardInterrupt:
        console.print("Stopped at once; the next run goes on from what is stored.")
        code = INTERRUPTED
    finally:
        pipeline.end()
    console.print(live.summary(archive))
    return code


def _unusable(asked: argparse.Namespace, source: Source) -> str | None:
    if asked.source is not None and not asked.source.is_file():
        return f"there is no file {asked.source}"
    if isinstance(source, Recorded) and source.events == 0:
        return f"{asked.source} holds no event: one JSON event of Jetstream a line is expected"
    if asked.archive is not None and asked.archive.exists() and any(asked.archive.iterdir()):
        return f"{asked.archive} is not empty; the proof needs a new archive"
    return None


def _announce(console: Console, source: Source, folder: Path) -> None:
    console.print(
        f"Sends {source} from a fake Jetstream host, {source.rate:,.0f} a second, through the real ingester, "
        "a real Redis-protocol server and the real writer into Parquet, then proves that each is there once. "
        f"Takes about {_expected_seconds(source):.0f} s; Ctrl-C stops it in order. Files: {_near(folder)}"
    )


def _expected_seconds(source: Source) -> float:
    """Traffic, start and last round, and the proof (measured: some 9,000 events a second)."""
    return 6 + source.events / source.rate - source.backlog + source.events / 9000


def _interrupted(pipeline: Pipeline, console: Console) -> int:
    console.print("Interrupted: stopping both daemons in order ...")
    codes = {
        name: daemon.stop() for name, daemon in (("ingester", pipeline.ingester), ("writer", pipeline.writer))
    }
    said = ", ".join(f"the {name} ended with exit code {code}" for name, code in codes.items())
    console.print(f"{said}; no proof was made. What is not committed waits in Redis' append-only file.")
    return INTERRUPTED


def _near(path: Path) -> str:
    """Return a path as it is told from here: relative where it lies below."""
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
