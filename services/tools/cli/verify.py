"""`archive verify`: checks every part and the archive as a whole; moves damaged files away on request."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from services.tools.console import FINE, FOUND, console, print_json, size, table
from services.tools.query.parts import ALL_HOURS, read_hours
from services.tools.settings import settings
from services.tools.verify.archive_check import damaged_files, move_to_quarantine, verify_archive

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.verify.archive_check import VerifyReport

_NICENESS = 10


def verify(
    *,
    hours: Annotated[
        str, typer.Option(help="Check these hours only, e.g. 2026-07-04 or 2026-07-04T10..2026-07-04T14.")
    ] = "",
    quarantine: Annotated[
        bool,
        typer.Option(
            "--quarantine", help="Move damaged and unknown files to .state/quarantine; deletes nothing."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check that every file is readable, unaltered and complete, and every event is there once.

    Exit code 1 if something was found.
    """
    given = settings()
    # The writer has priority.
    os.nice(_NICENESS)
    report = verify_archive(given, read_hours(hours) if hours else ALL_HOURS)
    moved = [move_to_quarantine(given.root, where) for where in damaged_files(report)] if quarantine else []
    if as_json:
        findings = [finding._asdict() for finding in report.findings]
        figures = {"parts": report.parts, "rows": report.rows, "bytes": report.bytes}
        print_json({**figures, "findings": findings, "quarantined": [str(path) for path in moved]})
    else:
        _show(report, moved)
    raise typer.Exit(FOUND if report.findings else FINE)


def _show(report: VerifyReport, moved: list[Path]) -> None:
    screen = console()
    counted = f"{report.parts:,} parts, {report.rows:,} rows, {size(report.bytes)}"
    if not report.findings:
        screen.print(f"{counted}: all as written, each event once")
        return
    screen.print(f"{counted}: {len(report.findings)} findings")
    screen.print(table(("fault", "where", "what"), report.findings))
    for path in moved:
        screen.print(f"moved to {path}", markup=False)
    left = set(damaged_files(report)) if not moved else set()
    if left:
        screen.print(f"{len(left)} files can be moved to .state/quarantine with --quarantine", style="yellow")
