"""Make an archive, or measure queries on one: `python -m testing.performance.lake make --root DIR`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from testing.performance.lake.make import Lake, make
from testing.performance.lake.query import query_seconds, sizes


def main(words: list[str]) -> int:
    """Run; returns 0 when done, 1 if the directory is not empty."""
    parser = argparse.ArgumentParser(prog="python -m testing.performance.lake", description=__doc__)
    parser.add_argument("what", choices=("make", "query"))
    parser.add_argument("--root", type=Path, required=True, help="the archive's directory")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--hours", type=float, default=24.0, help="of event time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parsed = parser.parse_args(words)
    if parsed.what == "query":
        _query(parsed.root)
        return 0
    parsed.root.mkdir(parents=True, exist_ok=True)
    if any(parsed.root.iterdir()):
        print(f"{parsed.root} is not empty; choose another directory", file=sys.stderr)
        return 1
    lake = Lake(parsed.root, parsed.events, parsed.hours)
    began, raw = time.monotonic(), 0
    for done, size in enumerate(make(lake, parsed.jobs), 1):
        raw += size
        if done % 12 == 0 or done == lake.rounds:
            share = done / lake.rounds
            print(f"{share:.0%}, {raw / 1e6:,.0f} MB of JSON, {time.monotonic() - began:.0f} s", flush=True)
    return 0


def _query(root: Path) -> None:
    print("| stream | files | bytes |\n|---|---:|---:|")
    for stream, size in sizes(root).items():
        print(f"| {stream} | {size.files:,} | {size.bytes:,} |")
    print("\n| query | seconds |\n|---|---:|")
    for name, took in query_seconds(root).items():
        print(f"| {name} | {took:.3f} |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
