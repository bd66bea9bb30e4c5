"""Checks an archive: its parts one by one, and what no part shows alone.

These are missing parts of a chunk, closed hours with other rows than recorded, duplicate events, unknown
files, and the writer's ledger.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.archive import footer as footers
from services.archive.durable import publish, sync_directory
from services.archive.paths import (
    HOUR_US,
    QUARANTINE,
    QUARANTINED_SUFFIX,
    REMOVED,
    hour_directory,
    hour_of_text,
    hour_text,
)
from services.archive.schema import IDENTITY_COLUMNS
from services.tools.console import progress
from services.tools.query.coverage import is_closed, is_newer, read_coverage
from services.tools.query.figures import ask_writer, unaccounted
from services.tools.query.parts import ALL_HOURS, find
from services.tools.query.views import connected, literal, scan
from services.tools.verify.part_check import DAMAGE, CheckedPart, Fault, Finding, check_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import duckdb

    from services.archive.coverage import CoverageRow
    from services.shared.event import Stream
    from services.tools.query.parts import PartFile
    from services.tools.settings import ToolsSettings


@dataclass(slots=True)
class VerifyReport:
    """Totals of what was checked, and the faults that were found."""

    parts: int = 0
    rows: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)


def verify_archive(given: ToolsSettings, hours: range = ALL_HOURS) -> VerifyReport:
    """Check these hours. Parts that compaction removes meanwhile are left out. Raises OSError."""
    root, report = given.root, VerifyReport()
    covered = read_coverage(root)
    found = find(root, hours=hours)
    report.findings += [
        Finding(
            Fault.UNKNOWN_FILE, path.relative_to(root).as_posix(), "not a part; readers may fail on this file"
        )
        for path in found.unknown_files
    ]
    checked: list[CheckedPart] = []
    with progress() as bar:
        task = bar.add_task("parts", total=sum(_size(part.path) for part in found.parts))
        for part in found.parts:
            with suppress(FileNotFoundError):
                checked.append(check_part(root, part, lambda count: bar.advance(task, count)))
        sound = [one for one in checked if not one.findings]
        hour_count = len({(one.part.stream, one.part.hour) for one in sound})
        task = bar.add_task("duplicate events", total=hour_count)
        with connected(root, given.tools_memory_mb) as connection:
            duplicate_findings = list(duplicates(connection, root, sound, lambda: bar.advance(task)))
    report.parts = len(checked)
    report.rows, report.bytes = sum(one.rows for one in checked), sum(one.bytes for one in checked)
    report.findings += [finding for one in checked for finding in one.findings]
    if hours == ALL_HOURS:
        # Only then: other parts of a chunk may be in hours that are not checked. Parts that a writer was
        # publishing while the archive was listed are there by now.
        late: list[CheckedPart] = []
        for part in _new_parts(root, checked):
            with suppress(FileNotFoundError):
                late.append(check_part(root, part, lambda _count: None))
        report.findings += missing_of_chunks([*checked, *late], removed_hours(root))
        report.findings += _unaccounted(given.tools_metrics_url)
    report.findings += missing_of_hours(checked, covered, hours, lambda part: is_newer(root, part))
    report.findings += duplicate_findings
    return report


def damaged_files(report: VerifyReport) -> list[str]:
    """Return the files with faults that end when the file is moved away, each once. Pure."""
    return list(dict.fromkeys(finding.where for finding in report.findings if finding.fault in DAMAGE))


def move_to_quarantine(root: Path, where: str) -> Path:
    """Move a file durably out of its stream's folder; return its new path. Raises OSError."""
    source, target = root / where, root / QUARANTINE / f"{where}{QUARANTINED_SUFFIX}"
    publish(root, source, target)
    sync_directory(source.parent)
    return target


def removed_hours(root: Path) -> set[tuple[str, int]]:
    """Return the streams' hours from which files were removed on purpose."""
    return {(path.parent.name, hour_of_text(path.stem)) for path in (root / REMOVED).glob("*/*.json")}


def missing_of_chunks(checked: Iterable[CheckedPart], removed: set[tuple[str, int]]) -> Iterator[Finding]:
    """Yield the missing parts `i/n` of chunks that were neither compacted nor removed on purpose. Pure."""
    present: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
    taken_over: set[str] = set()
    for one in checked:
        if one.of:
            present[one.part.name.id, one.of][one.number] = f"{one.part.stream} {hour_text(one.part.hour)}"
            hours = range(one.part.name.first_us // HOUR_US, one.part.name.last_us // HOUR_US + 1)
            if any(hour in hours for _, hour in removed):
                taken_over.add(one.part.name.id)
        if footers.COMPACTED in one.footer and not one.findings:
            taken_over |= {source.chunk for source in footers.sources(one.footer, one.part.path.name)}
    for (chunk, of), parts in sorted(present.items()):
        lost = [number for number in range(1, of + 1) if number not in parts]
        if lost and chunk not in taken_over:
            numbers = ", ".join(f"{number}/{of}" for number in lost)
            yield Finding(
                Fault.MISSING, next(iter(parts.values())), f"chunk {chunk} lacks its part {numbers}"
            )


def missing_of_hours(
    checked: Iterable[CheckedPart],
    covered: Mapping[tuple[Stream, int], CoverageRow],
    hours: range,
    is_newer: Callable[[PartFile], bool],
) -> Iterator[Finding]:
    """Yield the closed hours whose files or rows differ in number from the coverage table.

    Hours with a file newer than the table, by `is_newer`, are skipped: the table will be updated. Pure.
    """
    reopened: set[tuple[Stream, int]] = set()
    rows: dict[tuple[Stream, int], list[int]] = defaultdict(list)
    for one in checked:
        rows[one.part.stream, one.part.hour].append(one.rows)
        if is_newer(one.part):
            reopened.add((one.part.stream, one.part.hour))
    for key, row in sorted(covered.items()):
        found = rows.get(key, [])
        # The row of an hour that was removed on purpose counts no files.
        is_expected = row.hour in hours and row.parts and is_closed(row) and key not in reopened
        if is_expected and (len(found), sum(found)) != (row.parts, row.rows):
            yield Finding(
                Fault.MISSING,
                f"{row.stream} {hour_text(row.hour)}",
                f"{sum(found)} rows in {len(found)} files; the coverage table has {row.rows} in {row.parts}",
            )


def duplicates(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    checked: Iterable[CheckedPart],
    report_hour: Callable[[], None],
) -> Iterator[Finding]:
    """Yield events that are twice in an hour, or in an hour and the one before.

    `report_hour` after each hour.
    """
    paths: dict[Stream, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for one in checked:
        paths[one.part.stream][one.part.hour].append(one.part.path)
    for stream, hours in paths.items():
        for hour in sorted(hours):
            here = hour_directory(root, stream, hour)
            yield from _twice(connection, root, stream, here, [*hours.get(hour - 1, []), *hours[hour]])
            report_hour()


def _twice(
    connection: duckdb.DuckDBPyConnection, root: Path, stream: Stream, here: Path, paths: list[Path]
) -> Iterator[Finding]:
    identity = ", ".join(f'"{name}"' for name in IDENTITY_COLUMNS[stream])
    files = scan(paths, more=", filename = true")
    mine = f"bool_or(starts_with(filename, {literal(f'{here}/')}))"
    # Compare hashes of eight bytes first, and identities only where hashes are equal, to need less memory.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE twice AS SELECT hash({identity}) AS key FROM {files}"  # noqa: S608 - our own names, quoted paths
        f" GROUP BY key HAVING count(*) > 1 AND {mine}"
    )
    if connection.execute("FROM twice LIMIT 1").fetchone() is None:
        return
    twice = connection.execute(
        f"SELECT count(*) - 1, list(filename ORDER BY filename) FROM {files}"  # noqa: S608 - as above
        f" WHERE hash({identity}) IN (FROM twice) GROUP BY {identity} HAVING count(*) > 1 AND {mine}"
    ).fetchall()
    if twice:
        names = [name.removeprefix(f"{root}/") for name in twice[0][1][:2]]
        more = sum(count for count, _ in twice)
        yield Finding(Fault.DUPLICATE, names[1], f"{more} duplicate events, one of them in {names[0]}")


def _new_parts(root: Path, checked: list[CheckedPart]) -> list[PartFile]:
    """Return the parts that were published since the archive was listed."""
    known = {one.part.path for one in checked}
    return [part for part in find(root).parts if part.path not in known]


def _unaccounted(url: str) -> list[Finding]:
    figures = ask_writer(url)
    counts = unaccounted(figures) if figures else {}
    return [
        Finding(Fault.UNACCOUNTED, stream, f"{count} unaccounted events; a negative number means loss")
        for stream, count in counts.items()
        if count
    ]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
