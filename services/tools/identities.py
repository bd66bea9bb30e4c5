"""`archive identities`: which handle an account had over time, as far as identity events told it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from services.shared.event import Stream
from services.tools.console import FINE, FOUND, console, instant_us, say_json, table
from services.tools.settings import settings
from services.tools.views import connected, create_views, literal

if TYPE_CHECKING:
    from collections.abc import Iterable


class Told(NamedTuple):
    """One identity event."""

    did: str
    time_us: int
    handle: str | None
    """None where the event only says that something changed, as most do since 2026."""


class Span(NamedTuple):
    """A while in which an account was told of under one handle."""

    did: str
    handle: str | None
    first_us: int
    last_us: int
    events: int


def identities(
    who: Annotated[str, typer.Argument(metavar="[DID|HANDLE]", help="Only this account.")] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, help="Without an account: the newest so many changes.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
) -> None:
    """DID to handle over time; exit code 1 if the account is not known."""
    given = settings()
    if not who:
        wanted = "true"
    elif who.startswith("did:"):
        wanted = f"did = {literal(who)}"
    else:
        handle = literal(who.removeprefix("@").lower())
        wanted = f"did IN (FROM identities SELECT did WHERE handle = {handle})"
    with connected(given.root, given.tools_memory_mb) as connection:
        create_views(connection, given.root, (Stream.IDENTITIES,))
        rows = connection.execute(
            f"SELECT did, time_us, handle FROM identities WHERE {wanted} ORDER BY did, time_us"  # noqa: S608 - quoted
        ).fetchall()
    found = spans(Told(*row) for row in rows)
    if not who:
        found = sorted(found, key=lambda span: span.first_us)[-limit:]
    if as_json:
        say_json([span._asdict() for span in found])
    else:
        shown = [
            (one.did, one.handle, instant_us(one.first_us), instant_us(one.last_us), one.events)
            for one in found
        ]
        console().print(
            table(("did", "handle", "first told", "last told", "events"), shown, right=("events",))
        )
    raise typer.Exit(FINE if found or not who else FOUND)


def spans(told: Iterable[Told]) -> list[Span]:
    """Return the whiles between changes; an event without a handle says nothing of it. Pure.

    `told` is in the order of account and time.
    """
    found: list[Span] = []
    for one in told:
        last = found[-1] if found and found[-1].did == one.did else None
        if last is not None and one.handle in (None, last.handle):
            found[-1] = last._replace(last_us=one.time_us, events=last.events + 1)
        elif last is not None and last.handle is None:
            found[-1] = Span(one.did, one.handle, last.first_us, one.time_us, last.events + 1)
        else:
            found.append(Span(one.did, one.handle, one.time_us, one.time_us, 1))
    return found
