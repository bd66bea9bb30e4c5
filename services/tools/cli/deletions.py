"""`archive deletions`: reports rows that the compactor removed because they were deleted on the network."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from services.archive.manifest import Cause
from services.archive.notes import read_rewrites
from services.archive.paths import REWRITTEN, hour_text
from services.compactor.deletions.state import NO_PASS, read_state
from services.shared.event import Stream
from services.tools.console import FINE, console, instant_us, print_json, table
from services.tools.offload.index import only_remote
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from services.compactor.deletions.state import DeletionState


class Removed(NamedTuple):
    """Rows that one pass removed from one hour."""

    name: str
    """The time when the pass began."""
    stream: str
    hour: str
    done_at: str
    rows: dict[str, int]
    """Number of rows by policy: `records`, `accounts`."""


def deletions(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with every hour.")] = False
) -> None:
    """Report rows that were removed because they were deleted on the network (COMPACT_APPLY_DELETIONS)."""
    root = settings().root
    last, removed = read_state(root), list(read_removed(root))
    remote = sorted({(one.stream.value, hour_text(one.hour)) for one in only_remote(root, Stream)})
    if as_json:
        print_json(
            {
                "policy": last.policy or None,
                "last_pass": None if last == NO_PASS else instant_us(last.at_us),
                "removed": [one._asdict() for one in removed],
                "not_reached": [{"stream": stream, "hour": hour} for stream, hour in remote],
            }
        )
    else:
        _print(last, removed, len(remote))
    raise typer.Exit(FINE)


def read_removed(root: Path) -> Iterator[Removed]:
    """Yield the removed rows by pass and hour, the oldest pass first."""
    found = []
    for path in (root / REWRITTEN).glob("*/*.json"):
        for note in read_rewrites(path):
            if note.cause is Cause.DELETIONS:
                rows = {policy: rows for policy, rows in note.report["dropped"].items() if rows}
                done_at = instant_us(note.at_us)
                found.append(Removed(note.report["pass"], path.parent.name, path.stem, done_at, rows))
    yield from sorted(found, key=lambda one: (one.name, one.stream, one.hour))


def sums(removed: Iterable[Removed]) -> list[tuple[str, str, str, int, int]]:
    """Return number of hours and of rows by pass, stream and policy. Pure."""
    hours: Counter[tuple[str, str, str]] = Counter()
    rows: Counter[tuple[str, str, str]] = Counter()
    for one in removed:
        for policy, count in one.rows.items():
            hours[one.name, one.stream, policy] += 1
            rows[one.name, one.stream, policy] += count
    return [(*key, hours[key], rows[key]) for key in sorted(rows)]


def _print(last: DeletionState, removed: list[Removed], remote: int) -> None:
    screen = console()
    if removed:
        columns = ("pass", "stream", "policy", "hours", "rows")
        screen.print(table(columns, sums(removed), right=("hours", "rows")))
    if last == NO_PASS:
        screen.print("no pass was made; the setting COMPACT_APPLY_DELETIONS is off by default")
    else:
        screen.print(f"last pass {instant_us(last.at_us)}, policy {last.policy}")
    if remote:
        screen.print(f"{remote:,} hours are only in the bucket, where deletions are not applied")
