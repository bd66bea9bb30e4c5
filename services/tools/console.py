"""Output of the commands: tables, JSON, units of bytes and time, and progress bars on standard error."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FINE, FOUND, UNUSABLE, STOPPED = 0, 1, 2, 130
"""Exit codes: nothing to report; something was found; error; ended by a signal."""

_WIDE = 400
"""Width in columns where the output is no terminal, so that no word is cut."""


def console() -> Console:
    """Return the console of standard output."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "", *, right: Iterable[str] = ()
) -> Table:
    """Return a table of any values; columns named in `right` are aligned to the right."""
    made = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name in columns:
        made.add_column(name, justify="right" if name in set(right) else "left", overflow="fold")
    for row in rows:
        made.add_row(*(value if isinstance(value, Text) else Text(shown(value)) for value in row))
    return made


def shown(value: Any) -> str:
    """Return a value as text for a table."""
    match value:
        case None:
            text = "-"
        case bool():
            text = str(value).lower()
        case int():
            text = f"{value:,}"
        case datetime():
            text = instant(value)
        case bytes():
            text = value.decode("utf-8", "backslashreplace")
        case dict() | list():
            text = json.dumps(value, ensure_ascii=False, default=plain)
        case _:
            text = str(value)
    return text


def print_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=plain) + "\n")


def print_json_rows(rows: Iterable[Any]) -> None:
    """Print a JSON list of objects, one object a line, without holding all of them in memory."""
    between = "[\n"
    for row in rows:
        sys.stdout.write(between + json.dumps(row, ensure_ascii=False, default=plain))
        between = ",\n"
    sys.stdout.write("[]\n" if between == "[\n" else "\n]\n")


def plain(value: Any) -> Any:
    """Return a value that JSON cannot represent as text."""
    return instant(value) if isinstance(value, datetime) else shown(value)


def instant(when: datetime) -> str:
    """Return a time in UTC with milliseconds; a time without a zone is taken as UTC."""
    naive = when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    return naive.isoformat(sep=" ", timespec="milliseconds") + "Z"


def instant_us(time_us: int | None) -> str:
    """Return Unix microseconds as a UTC time to the second; a dash for None."""
    if time_us is None:
        return "-"
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def size(count: float) -> str:
    """Return a number of bytes in the largest fitting unit, e.g. `1.5 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:  # noqa: PLR2004 - a step of the unit
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, e.g. `1 h 40 min`."""
    whole = round(seconds)
    for unit, length, below, part in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if abs(whole) >= length:
            return f"{whole // length} {unit} {whole % length // part} {below}"
    return f"{whole} s"


def progress() -> Progress:
    """Return a progress bar in bytes, on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
