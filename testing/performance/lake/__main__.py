"""Make an archive (`make`), or measure one (`ask`): `python -m testing.performance.lake make --root DIR`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from testing.performance.lake.ask import seconds, sizes
from testing.performance.lake.make import Lake, make


def main(words: list[str]) -> int:
    """Do what is asked; 0 if it was done."""
    parser = argparse.ArgumentParser(prog="python -m testing.performance.lake", description=__doc__)
    parser.add_argument("what", choices=("make", "ask"))
    parser.add_argument("--root", type=Path, required=True, help="the archive's directory")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--hours", type=float, default=24.0, help="of event time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(words)
    if asked.what == "ask":
        _ask(asked.root)
        return 0
    asked.root.mkdir(parents=True, exist_ok=True)
    if any(asked.root.iterdir()):
        print(f"{asked.root} is not empty; choose another directory", file=sys.stderr)
        return 1
    lake = Lake(asked.root, asked.events, asked.hours)
    began, raw = time.monotonic(), 0
    for done, size in enumerate(make(lake, asked.jobs), 1):
        raw += size
        if done % 12 == 0 or done == lake.rounds:
            share = done / lake.rounds
            print(f"{share:.0%}, {raw / 1e6:,.0f} MB of JSON, {time.monotonic() - began:.0f} s", flush=True)
    return 0


def _ask(root: Path) -> None:
    print("| stream | files | bytes |\n|---|---:|---:|")
    for stream, size in sizes(root).items():
        print(f"| {stream} | {size.files:,} | {size.bytes:,} |")
    print("\n| question | seconds |\n|---|---:|")
    for name, took in seconds(root).items():
        print(f"| {name} | {took:.3f} |")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
