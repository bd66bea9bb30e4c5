"""`archive verify`: whether every part is what was written, in its place and once, and all of them there."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from services.archive.durable import publish, sync_directory
from services.archive.paths import QUARANTINE, QUARANTINED_SUFFIX
from services.tools.console import FINE, FOUND, console, progress, say_json, size, table
from services.tools.query.coverage import is_newer, read_coverage
from services.tools.query.figures import ask_writer, unaccounted
from services.tools.query.parts import ALL_HOURS, find, read_hours
from services.tools.query.views import connected
from services.tools.settings import settings
from services.tools.verify.archive_check import (
    duplicates,
    missing_of_chunks,
    missing_of_hours,
    removed_hours,
)
from services.tools.verify.part_check import DAMAGE, Checked, Fault, Finding, check_part

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.query.parts import PartFile
    from services.tools.settings import ToolsSettings

_POLITE = 10


@dataclass(slots=True)
class Verdict:
    """What was looked at, and what was found."""

    parts: int = 0
    rows: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)


def verify(
    *,
    hours: Annotated[
        str, typer.Option(help="Only these, e.g. 2026-07-04 or 2026-07-04T10..2026-07-04T14.")
    ] = "",
    quarantine: Annotated[
        bool,
        typer.Option(
            "--quarantine", help="Move damaged and unknown files to .state/quarantine; deletes nothing."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
) -> None:
    """Every part: readable, unaltered, in its place, complete, no event twice. Exit code 1 if not."""
    given = settings()
    # The writer has the machine first.
    os.nice(_POLITE)
    verdict = look(given, read_hours(hours) if hours else ALL_HOURS)
    moved = [take_out(given.root, where) for where in damaged(verdict)] if quarantine else []
    if as_json:
        findings = [finding._asdict() for finding in verdict.findings]
        figures = {"parts": verdict.parts, "rows": verdict.rows, "bytes": verdict.bytes}
        say_json({**figures, "findings": findings, "quarantined": [str(path) for path in moved]})
    else:
        _show(verdict, moved)
    raise typer.Exit(FOUND if verdict.findings else FINE)


def look(given: ToolsSettings, hours: range = ALL_HOURS) -> Verdict:
    """Verify the hours; parts that compaction takes away meanwhile are left out."""
    root, verdict = given.root, Verdict()
    covered = read_coverage(root)
    found = find(root, hours=hours)
    verdict.findings += [
        Finding(Fault.STRAY, path.relative_to(root).as_posix(), "no part, and readers may trip over it")
        for path in found.strays
    ]
    checked: list[Checked] = []
    with progress() as bar:
        task = bar.add_task("parts", total=sum(_size(part.path) for part in found.parts))
        for part in found.parts:
            with suppress(FileNotFoundError):
                checked.append(check_part(root, part, lambda count: bar.advance(task, count)))
        sound = [one for one in checked if not one.findings]
        task = bar.add_task("events twice", total=len({(one.part.stream, one.part.hour) for one in sound}))
        with connected(root, given.tools_memory_mb) as connection:
            twice = list(duplicates(connection, root, sound, lambda: bar.advance(task)))
    verdict.parts = len(checked)
    verdict.rows, verdict.bytes = sum(one.rows for one in checked), sum(one.bytes for one in checked)
    verdict.findings += [finding for one in checked for finding in one.findings]
    if hours == ALL_HOURS:
        # A chunk's other parts may lie in hours that were not asked for.
        # What a writer was just putting in place is all there by now.
        late: list[Checked] = []
        for part in _later(root, checked):
            with suppress(FileNotFoundError):
                late.append(check_part(root, part, _not_counted))
        verdict.findings += missing_of_chunks([*checked, *late], removed_hours(root))
        verdict.findings += _unaccounted(given.tools_metrics_url)
    verdict.findings += missing_of_hours(checked, covered, hours, lambda part: is_newer(root, part))
    verdict.findings += twice
    return verdict


def _later(root: Path, checked: list[Checked]) -> list[PartFile]:
    """Return the parts that came since the archive was listed."""
    known = {one.part.path for one in checked}
    return [part for part in find(root).parts if part.path not in known]


def _not_counted(_count: int) -> None:
    """Take no notice of progress."""


def damaged(verdict: Verdict) -> list[str]:
    """Return the files that the findings are about, each once. Pure."""
    return list(dict.fromkeys(finding.where for finding in verdict.findings if finding.fault in DAMAGE))


def take_out(root: Path, where: str) -> Path:
    """Move a file out of its dataset, durably; returns where it lies now."""
    source, target = root / where, root / QUARANTINE / f"{where}{QUARANTINED_SUFFIX}"
    publish(root, source, target)
    sync_directory(source.parent)
    return target


def _unaccounted(url: str) -> list[Finding]:
    figures = ask_writer(url)
    told = unaccounted(figures) if figures else {}
    return [
        Finding(Fault.UNACCOUNTED, stream, f"{count} events beyond those pushed; below 0 is loss")
        for stream, count in told.items()
        if count
    ]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _show(verdict: Verdict, moved: list[Path]) -> None:
    screen = console()
    counted = f"{verdict.parts:,} parts, {verdict.rows:,} rows, {size(verdict.bytes)}"
    if not verdict.findings:
        screen.print(f"{counted}: all as written, each event once")
        return
    screen.print(f"{counted}: {len(verdict.findings)} findings")
    screen.print(table(("fault", "where", "what"), verdict.findings))
    for path in moved:
        screen.print(f"moved to {path}", markup=False)
    left = set(damaged(verdict)) if not moved else set()
    if left:
        screen.print(f"{len(left)} files can be moved out of the datasets with --quarantine", style="yellow")
