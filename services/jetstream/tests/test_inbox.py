"""The inbox: in order, bounded, and nobody who waits on it is forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jetstream.cutover import CutoverWatch
from services.jetstream.inbox import Arrival, Inbox, Source
from services.jetstream.metrics import Reconnect
from services.jetstream.resume import Overlap, Plan, Wish
from services.jetstream.validate import validator
from services.shared.buffer.cursor import Cursor
from services.shared.event import Event, Reason

if TYPE_CHECKING:
    from collections.abc import Coroutine

LIMIT = 10.0
VALIDATE = validator(1000)


def source(host: str = "h") -> Source:
    plan = Plan(host, 10**15, exact=False, wish=Wish(), since=Cursor(10**15, 1, 0))
    return Source(plan, Overlap(plan), CutoverWatch(host, 0.0))


SOURCE = source()


def arrival(frame: bytes | None) -> Arrival:
    return Arrival(SOURCE, frame, 0.0, None)


def play(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, LIMIT))


@given(st.lists(st.none() | st.binary(max_size=30), max_size=40), st.integers(1, 10), st.integers(1, 100))
def test_peeks_and_drops_give_back_what_was_put_in_order_and_within_bounds(
    frames: list[bytes | None], most_frames: int, most_bytes: int
) -> None:
    inbox = Inbox(5, 100, VALIDATE)
    for frame in frames:
        inbox.put(arrival(frame))
    taken: list[bytes | None] = []
    while peeked := inbox.peek(most_frames, most_bytes):
        assert inbox.peek(most_frames, most_bytes) == peeked, "they stay"
        assert len(peeked) <= most_frames
        assert len(peeked) == 1 or sum(len(one.frame or b"") for one in peeked) <= most_bytes
        held = sum(len(frame or b"") for frame in frames[len(taken) :])
        assert inbox.is_full == (len(inbox) >= 5 or held >= 100)
        taken += [one.frame for one in peeked]
        inbox.drop(len(peeked))
    assert taken == frames
    assert (len(inbox), inbox.is_full) == (0, False)


def test_one_single_frame_is_let_in_however_large() -> None:
    inbox = Inbox(5, 10, VALIDATE)
    inbox.put(arrival(b"x" * 1000))
    assert inbox.is_full
    assert len(inbox.peek(5, 10)) == 1


def test_whoever_waits_for_frames_is_woken_by_one_and_by_the_time() -> None:
    async def scenario() -> None:
        inbox = Inbox(5, 10, VALIDATE)
        await inbox.filled(0.01)
        waiting = asyncio.create_task(inbox.filled(LIMIT * 10))
        await asyncio.sleep(0)
        inbox.put(arrival(b"x"))
        await waiting
        await inbox.filled(LIMIT * 10)

    play(scenario())


def test_a_wake_ends_the_wait_for_frames() -> None:
    async def scenario() -> None:
        inbox = Inbox(5, 10, VALIDATE)
        waiting = asyncio.create_task(inbox.filled(LIMIT * 10))
        await asyncio.sleep(0)
        inbox.wake()
        await waiting

    play(scenario())


def test_all_who_wait_for_room_or_for_the_end_are_woken() -> None:
    async def scenario() -> None:
        inbox, one = Inbox(2, 100, VALIDATE), source()
        for _ in range(2):
            inbox.put(Arrival(one, b"x", 0.0, None))
        rooms = [asyncio.create_task(inbox.room(one)) for _ in range(3)]
        drains = [asyncio.create_task(inbox.drained(one)) for _ in range(3)]
        await asyncio.sleep(0)
        inbox.drop(1)
        await asyncio.gather(*rooms)
        assert not any(task.done() for task in drains)
        inbox.drop(1)
        await asyncio.gather(*drains)

    play(scenario())


def test_a_connection_that_is_to_end_waits_for_no_room() -> None:
    async def scenario() -> None:
        inbox, one = Inbox(1, 100, VALIDATE), source()
        inbox.put(Arrival(one, b"x", 0.0, None))
        one.close = inbox.wake
        waiting = asyncio.create_task(inbox.room(one))
        await asyncio.sleep(0)
        one.end(Reconnect.PARKED)
        await waiting

    play(scenario())


def test_what_was_there_is_drained_though_more_keeps_coming() -> None:
    """A window's reader waits for its own frames while the live tail never leaves the inbox empty."""

    async def scenario() -> None:
        inbox = Inbox(100, 10_000, VALIDATE)
        window = source()
        inbox.put(Arrival(window, b"the window's last", 0.0, None))
        waiting = asyncio.create_task(inbox.drained(window))
        for number in range(200):
            await asyncio.sleep(0)
            inbox.put(arrival(b"live %d" % number))
            inbox.drop(1)
        await asyncio.sleep(0)
        done = waiting.done()
        waiting.cancel()
        assert done

    play(scenario())


@pytest.mark.parametrize("later", [Reconnect.SILENT, Reconnect.CLOSED])
def test_the_first_reason_to_end_a_connection_stays(later: Reconnect) -> None:
    one, closed = source(), list[int]()
    one.close = lambda: closed.append(1)
    one.end(Reconnect.STEPPED_BACK, since_us=7)
    one.end(later, dead=True, since_us=9)
    assert (one.ending, one.since_us, one.dead) == (Reconnect.STEPPED_BACK, 7, True)
    assert closed, "and it is closed"


def test_frames_that_come_together_are_validated_and_counted() -> None:
    inbox, one = Inbox(10, 10_000, VALIDATE), source()
    frames = [b'{"did":"d","time_us":5,"kind":"identity","identity":{"seq":1}}', b"{", b"x" * 1001]
    inbox.put_all(one, frames, 7.0)
    found = inbox.peek(10, 10_000)
    assert [(arrival.frame, arrival.at) for arrival in found] == [(frame, 7.0) for frame in frames]
    event, *reasons = [arrival.event for arrival in found]
    assert isinstance(event, Event)
    assert (event.time_us, event.frame) == (5, frames[0])
    assert reasons == [Reason.NOT_JSON, Reason.TOO_LARGE]
    assert one.waiting == 3
    inbox.drop(3)
    assert (one.waiting, len(inbox)) == (0, 0)


def test_the_room_left_is_told_and_never_none() -> None:
    inbox = Inbox(3, 10_000, VALIDATE)
    for left in (3, 2, 1, 1):
        assert inbox.room_left == left
        inbox.put(arrival(b"x"))
