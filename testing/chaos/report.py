"""An audit as a small table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from testing.audit import Audit

COUNTS = ("truth", "archive", "lost", "doubled", "altered", "strangers")


def totals(verdict: Audit) -> dict[str, int]:
    """Return every count, summed over the streams."""
    return {name: sum(getattr(found, name) for found in verdict.streams.values()) for name in COUNTS}


def show(verdict: Audit, console: Console) -> None:
    """Print the counts by stream, and examples of what is wrong."""
    table = Table("stream")
    for name in COUNTS:
        table.add_column(name, justify="right")
    for stream, found in verdict.streams.items():
        figures = [f"{getattr(found, name):,}" for name in COUNTS]
        table.add_row(stream, *figures, style="bold red" if found.faults else "")
    table.add_section()
    table.add_row("all", *(f"{count:,}" for count in totals(verdict).values()), style="bold")
    console.print(table)
    if not verdict.passed:
        console.print(str(verdict), markup=False)
