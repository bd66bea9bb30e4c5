"""Measures ingester and writer, alternating with what bare tools do with the same events. Asserts nothing."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from testing.bench.figures import Figures, row
from testing.bench.measure import bare_loop, duckdb_copy, ingester_and_writer
from testing.ending import unwind_on_signals
from testing.events import HostView, Traffic
from testing.redis_server import NoServerError, find_server

UNUSABLE = 2
PACKAGES = ("websockets", "uvloop", "msgspec", "redis", "hiredis", "pyarrow", "duckdb")
RATE = 500.0
NAMES = {
    "ingester": "ingester: socket to acknowledged in Redis",
    "bare": "bare websockets receive loop",
    "writer": "writer: full Redis to synced Parquet",
    "duckdb": "DuckDB COPY: NDJSON to Parquet, not synced, no `extra`",
}


def main(words: list[str]) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m testing.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(words)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    try:
        server = find_server()
    except NoServerError as error:
        console.print(f"This cannot begin: {error}", markup=False)
        return UNUSABLE
    console.print(f"{asked.events:,} generated events, {asked.repeats} times each ...")
    runs: dict[str, list[Figures]] = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frames = folder / "frames.jsonl"
        first_us = int((time.time() - asked.events / RATE) * 1_000_000)
        traffic = Traffic(asked.seed, first_us, RATE, asked.events)
        frames.write_bytes(b"".join(frame + b"\n" for frame in traffic.truth(HostView())))
        for repeat in range(asked.repeats):
            runs["bare"].append(bare_loop(frames, asked.events))
            both = ingester_and_writer(
                folder / f"daemons{repeat}", frames, asked.events, first_us - 1_000_000
            )
            runs["ingester"].append(both[0])
            runs["writer"].append(both[1])
            runs["duckdb"].append(duckdb_copy(folder / f"duckdb{repeat}", frames, asked.events))
        size = frames.stat().st_size / asked.events
    console.print(_table(runs))
    console.print(f"median (least-most) of {asked.repeats}; an event is {size:.0f} bytes of JSON")
    console.print(f"{_machine()}; {Path(server).name}; load {os.getloadavg()[0]:.1f}", markup=False)
    console.print(
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    )
    return 0


def _table(runs: dict[str, list[Figures]]) -> Table:
    table = Table("what")
    for name in ("events/s", "CPU s a million", "peak RSS MB", "bytes an event"):
        table.add_column(name, justify="right")
    for name, what in NAMES.items():
        table.add_row(*row(what, runs[name]))
    return table


def _machine() -> str:
    memory = psutil.virtual_memory().total / 1e9
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs ({_cpu_model()}), {memory:.0f} GB"
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


if __name__ == "__main__":
    unwind_on_signals()
    sys.exit(main(sys.argv[1:]))
