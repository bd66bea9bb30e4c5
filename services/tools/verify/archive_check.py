"""What no single part can show: parts of a chunk that are missing, hours that shrank, events twice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from services.archive import footer as footers
from services.archive.paths import HOUR_US, REMOVED, hour_directory, hour_of_text, hour_text
from services.archive.schema import IDENTITY_COLUMNS
from services.tools.query.coverage import is_settled
from services.tools.query.views import literal, scan
from services.tools.verify.part_check import Fault, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import duckdb

    from services.archive.coverage import CoverageRow
    from services.shared.event import Stream
    from services.tools.query.parts import PartFile
    from services.tools.verify.part_check import Checked


def removed_hours(root: Path) -> set[tuple[str, int]]:
    """Return the streams' hours of which something was taken out on purpose, so that it is not missed."""
    return {(path.parent.name, hour_of_text(path.stem)) for path in (root / REMOVED).glob("*/*.json")}


def missing_of_chunks(checked: Iterable[Checked], removed: set[tuple[str, int]]) -> Iterator[Finding]:
    """Tell of parts `i/n` that are nowhere; what was compacted, or removed, is not missed. Pure."""
    there: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
    taken_over: set[str] = set()
    for one in checked:
        if one.of:
            there[one.part.name.id, one.of][one.number] = f"{one.part.stream} {hour_text(one.part.hour)}"
            hours = range(one.part.name.first_us // HOUR_US, one.part.name.last_us // HOUR_US + 1)
            if any(hour in hours for _, hour in removed):
                taken_over.add(one.part.name.id)
        if footers.COMPACTED in one.footer and not one.findings:
            taken_over |= {source.chunk for source in footers.sources(one.footer, one.part.path.name)}
    for (chunk, of), parts in sorted(there.items()):
        lost = [number for number in range(1, of + 1) if number not in parts]
        if lost and chunk not in taken_over:
            numbers = ", ".join(f"{number}/{of}" for number in lost)
            yield Finding(
                Fault.MISSING, next(iter(parts.values())), f"chunk {chunk} lacks its part {numbers}"
            )


def missing_of_hours(
    checked: Iterable[Checked],
    covered: Mapping[tuple[Stream, int], CoverageRow],
    hours: range,
    is_newer: Callable[[PartFile], bool],
) -> Iterator[Finding]:
    """Tell of settled hours that hold other rows or files than when they were noted.

    One that has files newer than the table, by `is_newer`, will be noted anew. Pure.
    """
    reopened: set[tuple[Stream, int]] = set()
    rows: dict[tuple[Stream, int], list[int]] = defaultdict(list)
    for one in checked:
        rows[one.part.stream, one.part.hour].append(one.rows)
        if is_newer(one.part):
            reopened.add((one.part.stream, one.part.hour))
    for key, noted in sorted(covered.items()):
        here = rows.get(key, [])
        # An hour that was removed on purpose keeps its rows in the table, and no files.
        is_here = noted.hour in hours and noted.parts and is_settled(noted) and key not in reopened
        if is_here and (len(here), sum(here)) != (noted.parts, noted.rows):
            yield Finding(
                Fault.MISSING,
                f"{noted.stream} {hour_text(noted.hour)}",
                f"{sum(here)} rows in {len(here)} files, and its coverage says {noted.rows} in {noted.parts}",
            )


def duplicates(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    checked: Iterable[Checked],
    looked_at: Callable[[], None],
) -> Iterator[Finding]:
    """Tell of events that are twice in an hour, or in it and the hour before."""
    paths: dict[Stream, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for one in checked:
        paths[one.part.stream][one.part.hour].append(one.part.path)
    for stream, hours in paths.items():
        for hour in sorted(hours):
            here = hour_directory(root, stream, hour)
            yield from _twice(connection, root, stream, here, [*hours.get(hour - 1, []), *hours[hour]])
            looked_at()


def _twice(
    connection: duckdb.DuckDBPyConnection, root: Path, stream: Stream, here: Path, paths: list[Path]
) -> Iterator[Finding]:
    identity = ", ".join(f'"{name}"' for name in IDENTITY_COLUMNS[stream])
    files = scan(paths, more=", filename = true")
    mine = f"bool_or(starts_with(filename, {literal(f'{here}/')}))"
    # A digest of eight bytes an event first: the texts are only compared where two of these agree.
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
        yield Finding(Fault.DUPLICATE, names[1], f"{more} events are there again, one of them in {names[0]}")
