"""Commands from another process: one JSON object a message on `/control`, one JSON answer each.

`{"do": NAME, ...arguments}`, names and arguments as in `commands`; the answer is
`{"ok": true, "result": ..., ...}` with what `status` returns, or `{"ok": false, "error": "..."}`.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed

from testing.fakes.jetstream.hostile import planted, planted_raw
from testing.fakes.jetstream.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.asyncio.server import ServerConnection

    from testing.fakes.jetstream.server import FakeJetstream


async def listen(fake: FakeJetstream, socket: ServerConnection) -> None:
    """Obey until the commander leaves."""
    try:
        async for message in socket:
            await socket.send(json.dumps(await answer(fake, message)))
    except ConnectionClosed:
        return


async def answer(fake: FakeJetstream, message: str | bytes) -> dict[str, Any]:
    """Carry out one command; what is wrong with it is the answer, not an error."""
    try:
        order = json.loads(message)
        result = commands(fake)[order.pop("do")](**order)
        if inspect.isawaitable(result):
            result = await result
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return {"ok": False, "error": repr(error)}
    return {"ok": True, "result": result, **status(fake)}


def commands(fake: FakeJetstream) -> dict[str, Callable[..., Any]]:
    """Return every command by name."""
    lies = fake.lies

    def plant(
        what: str = "", *, payload: str = "", binary: bool = False, size: int = 0, before: int | None = None
    ) -> int:
        at = fake.store.tip() if before is None else before
        if not what:
            return lies.plant(planted_raw(payload, binary=binary), before=at)
        return lies.plant(planted(what, size=size, time_us=fake.store.time_us(at)), before=at)

    return {
        "hang_up": lies.hang_up,
        "silence": lies.silence,
        "speak": lies.speak,
        "mute": lies.mute,
        "blind": lies.blind,
        "see": lies.see,
        "repeat": lies.repeat,
        "cutover": lies.cutover,
        "rewind": lies.rewind,
        "plant": plant,
        "refuse": lies.refuse,
        "end": fake.store.end,
        "pace": fake.store.pace,
        "keep": fake.store.keep,
        "change_namespace": fake.change_namespace,
        "down": fake.down,
        "up": fake.up,
        "advance": fake.options.clock.advance,
        "status": lambda: None,
    }


def status(fake: FakeJetstream) -> dict[str, Any]:
    """Return what has happened, and all that is needed to compute the truth."""
    store = fake.store
    return {
        "fired": dict(fake.lies.fired),
        "tip": store.tip(),
        "source": _source(fake),
        "now_us": store.now_us(),
        "rewinds": [[epoch.begin, epoch.back_us] for epoch in store.epochs[1:]],
        "plants": {at: len(plants) for at, plants in store.plants.items()},
        "connections": [{**asdict(record), "cursor": record.cursor} for record in fake.connections],
    }


def _source(fake: FakeJetstream) -> dict[str, Any] | None:
    """Return the traffic, turns of its rate included, as keywords of `Paced`; None for a recording."""
    source = fake.store.source
    if isinstance(source, Recording):
        return None
    names = ("seed", "first_us", "rate", "total", "turns")
    rhythm = None if source.rhythm is None else asdict(source.rhythm)
    return {**{name: getattr(source, name, ()) for name in names}, "rhythm": rhythm}
