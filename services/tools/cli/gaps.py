"""`archive gaps`: the intervals in which events may be missing."""

from __future__ import annotations

from typing import Annotated

import typer

from services.tools.console import FOUND, console, duration, instant_us, say_json, table
from services.tools.query.gap_rows import OpenGap, by_reason, read_holes, seconds, touching
from services.tools.query.parts import read_time
from services.tools.settings import settings

_FOREVER_US = 1 << 62


def gaps(
    *,
    begin: Annotated[str, typer.Option("--from", help="Only those after, e.g. 2026-07-04T14.")] = "",
    end: Annotated[str, typer.Option("--to", help="Only those before.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
) -> None:
    """Intervals in which events may be missing, and why. Exit code 1 if there are any."""
    given = settings()
    first_us = read_time(begin) if begin else 0
    end_us = read_time(end) if end else _FOREVER_US
    holes = touching(read_holes(given.root, given.tools_memory_mb), first_us, end_us)
    total, sorts = seconds(holes, first_us, end_us), by_reason(holes)
    if as_json:
        reasons = {reason: {"gaps": count, "seconds": length} for reason, (count, length) in sorts.items()}
        say_json({"gaps": [hole._asdict() for hole in holes], "seconds": total, "by_reason": reasons})
    else:
        _show(holes, total)
    raise typer.Exit(FOUND if holes else 0)


def _show(holes: list[OpenGap], total: float) -> None:
    if not holes:
        console().print("no gaps: nothing is known to be missing")
        return
    rows = [
        (
            instant_us(hole.from_us),
            instant_us(hole.to_us),
            duration((hole.to_us - hole.from_us) / 1e6),
            hole.reason,
            hole.collection or "all",
            hole.host,
        )
        for hole in holes
    ]
    columns = ("from", "to", "length", "reason", "collection", "host")
    console().print(table(columns, rows, right=("length",)))
    sorts = [(reason, count, duration(length)) for reason, (count, length) in by_reason(holes).items()]
    sorts.append(("all", len(holes), duration(total)))
    console().print(
        table(("reason", "gaps", "time"), sorts, "each moment counted once", right=("gaps", "time"))
    )
