"""`archive rejects replay`: pushes rejected frames that are valid now, after an update or a raised limit.

The reject stays as history. Its event is pushed only if neither Redis nor the archive has it, so a second
replay pushes nothing.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console

from services.archive.gaps import Interval
from services.archive.paths import HOUR_US, removed_path
from services.data_writer.encoding.encode import encode
from services.jetstream.settings import IngesterSettings
from services.jetstream.validate import frame_opener, validate
from services.shared.errors import BadInput, Transient
from services.shared.event import Event, Stream
from services.shared.lifecycle import stopping_on_signals
from services.shared.logging import start_logs
from services.shared.retry import until_done
from services.shared.settings import load
from services.tools.console import FINE, FOUND, STOPPED
from services.tools.query.parts import find, row_groups
from services.tools.redis_session import RedisSession
from services.tools.repair.known import known_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


class SortedRejects(NamedTuple):
    """Rejects, sorted by whether they are valid now."""

    usable: dict[int, dict[bytes, Event]]
    """Events by the hour of their time and by identity."""
    unusable: int
    removed: int
    """Number of usable rejects whose hour was removed here on purpose."""


def replay(
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Push them; without this, only print how many could be pushed.")
    ] = False,
) -> None:
    """Push rejected frames that are valid now, after an update or a raised limit, as events."""
    settings = load(IngesterSettings, "INGEST_")
    console = Console(stderr=True)
    start_logs("replay", "warning")
    found = sort_rejects(settings.archive_root, settings.ingest_max_event_bytes, frame_opener(settings))
    console.print(
        f"{sum(map(len, found.usable.values())):,} rejected frames can be used now, {found.unusable:,} cannot"
    )
    if found.removed:
        console.print(f"{found.removed:,} more are not pushed, because their hours were removed here")
    with stopping_on_signals() as stopping:
        session = RedisSession(settings, stopping)
        until_done(session.open, stopping, lambda error: console.print(str(error), markup=False))
        missing = pushed = 0
        for hour, events in sorted(found.usable.items()):
            for some in _slices(events, settings.ingest_push_events):
                if yes:
                    pushed += session.until_done(lambda: _push(session, settings, hour, some)) or 0  # noqa: B023 - called at once
                else:
                    missing += len(session.until_done(lambda: _missing(session, hour, some)) or ())  # noqa: B023 - as above
        session.close()
    if not yes:
        console.print(f"{missing:,} of them are not in the archive; to push these, add --yes")
        raise typer.Exit(FOUND if missing else FINE)
    console.print(f"{pushed:,} were pushed; the writer commits them in its next round")
    raise typer.Exit(STOPPED if stopping else FINE)


def sort_rejects(root: Path, largest: int, open_frame: Callable[[bytes], bytes]) -> SortedRejects:
    """Validate and encode every reject again, with today's limits."""
    usable: dict[int, dict[bytes, Event]] = defaultdict(dict)
    unusable = removed = 0
    for frame in _frames(root):
        event = _event(frame, largest, open_frame)
        if event is None:
            unusable += 1
        elif removed_path(root, event.stream, event.time_us // HOUR_US).exists():
            removed += 1
        else:
            usable[event.time_us // HOUR_US][event.identity] = event
    return SortedRejects(usable, unusable, removed)


def _frames(root: Path) -> Iterator[bytes]:
    for hour in sorted({part.hour for part in find(root, (Stream.REJECTS,)).parts}):
        for table in row_groups(
            root, Stream.REJECTS, Interval(hour * HOUR_US, (hour + 1) * HOUR_US), ["frame"]
        ):
            yield from table["frame"].to_pylist()


def _event(frame: bytes, largest: int, open_frame: Callable[[bytes], bytes]) -> Event | None:
    try:
        event = validate(open_frame(frame), largest)
    except BadInput:
        return None
    return None if encode(event.stream, [event.frame], "").rejected else event


def _missing(session: RedisSession, hour: int, events: Iterable[Event]) -> list[Event]:
    # Events are stored by their own time, so only this hour can contain them.
    known = known_events(session.pusher, session.root, Interval(hour * HOUR_US, (hour + 1) * HOUR_US))
    return [event for event in events if event.identity not in known]


def _push(session: RedisSession, settings: IngesterSettings, hour: int, events: Iterable[Event]) -> int:
    """Push the missing ones of these events and their counts in one transaction; return their number.

    Raises Transient while Redis is nearly full.
    """
    if session.pusher.memory().share() > settings.ingest_pause_percent / 100:
        raise Transient("Redis is filling; events of the ingester have priority")
    missing = _missing(session, hour, events)
    elements: dict[Stream, list[bytes]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for event in missing:
        elements[event.stream].append(event.frame)
        counts[f"{event.stream}:received"] += 1
        counts[f"{event.stream}:pushed"] += 1
    if missing:
        session.pusher.push(elements, counts)
    return len(missing)


def _slices(events: dict[bytes, Event], most: int) -> Iterator[list[Event]]:
    left = iter(events.values())
    while some := list(itertools.islice(left, most)):
        yield some
