"""How answers are shown: tables for people, JSON and CSV for scripts; progress goes to standard error."""

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

FINE, FOUND, UNUSABLE = 0, 1, 2
"""Exit codes: nothing to report; something was found; it could not be done."""

_WIDE = 400
"""Columns where the output is no terminal: what reads it should not find words cut."""


def console() -> Console:
    """Return the console of standard output."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "", *, right: Iterable[str] = ()
) -> Table:
    """Return a table of any values; columns named in `right` are figures."""
    made = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name in columns:
        made.add_column(name, justify="right" if name in set(right) else "left", overflow="fold")
    for row in rows:
        made.add_row(*(value if isinstance(value, Text) else Text(shown(value)) for value in row))
    return made


def shown(value: Any) -> str:
    """Return one value as a person reads it."""
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


def say_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=plain) + "\n")


def say_json_rows(rows: Iterable[Any]) -> None:
    """Print a list of objects, one a line, as they come."""
    between = "[\n"
    for row in rows:
        sys.stdout.write(between + json.dumps(row, ensure_ascii=False, default=plain))
        between = ",\n"
    sys.stdout.write("[]\n" if between == "[\n" else "\n]\n")


def plain(value: Any) -> Any:
    """Return what JSON has no word for as text."""
    return instant(value) if isinstance(value, datetime) else shown(value)


def instant(when: datetime) -> str:
    """Return a time as the archive renders it; one without a zone is UTC."""
    naive = when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    return naive.isoformat(sep=" ", timespec="milliseconds") + "Z"


def instant_us(time_us: int | None) -> str:
    """Return Unix microseconds as a time to the second, or a dash."""
    if time_us is None:
        return "-"
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def size(count: float) -> str:
    """Return bytes in the unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:  # noqa: PLR2004 - a step of the unit
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    whole = round(seconds)
    for unit, length, below, part in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if abs(whole) >= length:
            return f"{whole // length} {unit} {whole % length // part} {below}"
    return f"{whole} s"


def progress() -> Progress:
    """Return a bar that counts bytes, on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
