"""`archive coverage`: shows which hours are complete, as a calendar in the terminal, HTML or PNG."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations at runtime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from services.archive.coverage import State
from services.archive.paths import hour_start, hour_text
from services.shared.errors import BadInput
from services.shared.event import Stream
from services.tools.console import FINE, FOUND, console, print_json
from services.tools.query.calendar_picture import page, write_png
from services.tools.query.coverage import CELL_STYLES, HOURS_A_DAY, calendar, last_days, read_coverage
from services.tools.query.parts import read_hours
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.archive.coverage import CoverageRow
    from services.tools.query.coverage import Day

_ALL = "all streams"


def coverage(  # noqa: PLR0913 - each is an option of the command
    *,
    stream: Annotated[list[str] | None, typer.Option(help="Show this stream only; may be repeated.")] = None,
    each: Annotated[bool, typer.Option("--each", help="Show a calendar for each stream.")] = False,
    days: Annotated[int, typer.Option(min=1, help="Show this number of days, up to the last.")] = 30,
    hours: Annotated[
        str, typer.Option(help="Show these hours instead, e.g. 2026-07-04 or 2026-07-01..2026-07-04.")
    ] = "",
    html: Annotated[Path | None, typer.Option(help="Write a self-contained HTML page.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write a PNG; needs matplotlib.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows of the coverage table.")] = False,
) -> None:
    """Show which hours are complete.

    Exit code 1 if events may be missing, or an hour named with --hours is not closed yet.
    """
    given = settings()
    streams = read_names(stream or tuple(Stream))
    table = {key: row for key, row in read_coverage(given.root).items() if row.stream in streams}
    chosen = read_hours(hours) if hours else last_days(table, days)
    if not chosen:
        raise BadInput(
            "no hour is in the coverage table yet: wait until hours close, or run `archive compact`"
        )
    rows = [row for row in table.values() if row.hour in chosen]
    groups = (
        {str(one): [row for row in rows if row.stream is one] for one in streams} if each else {_ALL: rows}
    )
    if stream and not each:
        groups = {", ".join(streams): rows}
    calendars = {name: calendar(mine, chosen) for name, mine in groups.items()}
    title = f"Coverage, {hour_text(chosen.start)} to {hour_text(chosen.stop - 1)}"
    if html is not None:
        html.write_text(page(calendars, title), encoding="utf-8")
    if png is not None:
        write_png(calendars, title, png)
    if as_json:
        print_json([{**row._asdict(), "hour": hour_text(row.hour)} for row in rows])
    elif html is None and png is None:
        _show(calendars)
    raise typer.Exit(FINE if is_complete(rows, chosen if hours else range(0), streams) else FOUND)


def read_names(names: Iterable[str]) -> list[Stream]:
    """Return the streams with these names. Raises BadInput, which lists all names."""
    wrong = [name for name in names if name not in tuple(Stream)]
    if wrong:
        raise BadInput(f"{wrong[0]!r} is no stream; streams are {', '.join(Stream)}")
    return [Stream(name) for name in names]


def is_complete(rows: Iterable[CoverageRow], named: range, streams: Iterable[Stream]) -> bool:
    """Whether no hour is partial, and each named hour of each stream is complete or empty. Pure."""
    states = {(row.stream, row.hour): row.state for row in rows}
    if State.PARTIAL in states.values():
        return False
    complete = (State.CLOSED, State.EMPTY)
    return all(states.get((stream, hour)) in complete for stream in streams for hour in named)


def _show(calendars: Mapping[str, Iterable[Day]]) -> None:
    screen = console()
    hours = "".join(f"{hour:<6}" for hour in range(0, HOURS_A_DAY, 3))
    for name, days in calendars.items():
        screen.print(f"{name:<12}{hours}", style="bold")
        for day in days:
            line = Text(f"{hour_start(day.number * HOURS_A_DAY):%Y-%m-%d}  ")
            for cell in day.cells:
                look = CELL_STYLES[cell.kind]
                line.append(f"{look.glyph} ", style=look.terminal)
            screen.print(line)
    key = Text()
    for look in CELL_STYLES.values():
        key.append(look.glyph, style=look.terminal)
        key.append(f" {look.meaning}   ")
    screen.print(key)
