"""`archive gaps`: lists the intervals in which events may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.tools.console import FOUND, console, duration, instant_us, print_json, table
from services.tools.query.gap_rows import by_reason, read_open_gaps, seconds, touching
from services.tools.query.parts import read_time
from services.tools.settings import settings

if TYPE_CHECKING:
    from services.archive.gaps import OpenGap

_FOREVER_US = 1 << 62


def gaps(
    *,
    begin: Annotated[str, typer.Option("--from", help="Only gaps after this time, e.g. 2026-07-04T14.")] = "",
    end: Annotated[str, typer.Option("--to", help="Only gaps before this time.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the intervals in which events may be missing, and why. Exit code 1 if there are any."""
    given = settings()
    first_us = read_time(begin) if begin else 0
    end_us = read_time(end) if end else _FOREVER_US
    open_gaps = touching(read_open_gaps(given.root, given.tools_memory_mb), first_us, end_us)
    total, sorts = seconds(open_gaps, first_us, end_us), by_reason(open_gaps)
    if as_json:
        reasons = {reason: {"gaps": count, "seconds": length} for reason, (count, length) in sorts.items()}
        print_json({"gaps": [gap._asdict() for gap in open_gaps], "seconds": total, "by_reason": reasons})
    else:
        _show(open_gaps, total)
    raise typer.Exit(FOUND if open_gaps else 0)


def _show(open_gaps: list[OpenGap], total: float) -> None:
    if not open_gaps:
        console().print("no gaps: nothing is known to be missing")
        return
    rows = [
        (
            instant_us(gap.from_us),
            instant_us(gap.to_us),
            duration((gap.to_us - gap.from_us) / 1e6),
            gap.reason,
            gap.collection or "all",
            gap.host,
        )
        for gap in open_gaps
    ]
    columns = ("from", "to", "length", "reason", "collection", "host")
    console().print(table(columns, rows, right=("length",)))
    sorts = [(reason, count, duration(length)) for reason, (count, length) in by_reason(open_gaps).items()]
    sorts.append(("all", len(open_gaps), duration(total)))
    console().print(
        table(("reason", "gaps", "time"), sorts, "each moment counted once", right=("gaps", "time"))
    )
