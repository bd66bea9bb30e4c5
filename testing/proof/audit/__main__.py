"""Compares an archive with a file of events: python -m testing.proof.audit --root DIR --source FILE."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from testing.proof.audit.canonical import stream_of
from testing.proof.audit.compare import Audit, audit

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(arguments: list[str]) -> int:
    """Print the result; return 0 if the archive holds every event once and unaltered, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m testing.proof.audit", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the archive's directory")
    parser.add_argument(
        "--source", type=Path, required=True, help="JSON lines: the events that it should hold"
    )
    parser.add_argument(
        "--ignore-host-fields", action="store_true", help="ignore time_us and cursor: events from other hosts"
    )
    options = parser.parse_args(arguments)
    verdict = audit(options.root, _lines(options.source), ignore_host_fields=options.ignore_host_fields)
    _show(verdict)
    return 0 if verdict.passed else 1


def _lines(source: Path) -> Iterator[tuple[str, bytes]]:
    with source.open("rb") as file:
        for line in file:
            if frame := line.rstrip(b"\r\n"):
                yield stream_of(frame), frame


def _show(verdict: Audit) -> None:
    table = Table("stream", title="the archive compared with its source")
    names = ("truth", "archive", "lost", "doubled", "altered", "unknown")
    for name in names:
        table.add_column(name, justify="right")
    for stream, found in verdict.streams.items():
        figures = [f"{getattr(found, name):,}" for name in names]
        table.add_row(stream, *figures, style="bold red" if found.errors else "")
    for stream, rows in verdict.uncompared.items():
        table.add_row(stream, "-", f"{rows:,}", style="dim")
    console = Console()
    console.print(table)
    for stream, found in verdict.streams.items():
        for example in found.examples:
            console.print(f"{stream}: {example}", markup=False, highlight=False)
    console.print(f"{verdict.errors:,} errors")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
