"""The inbox keeps order and limits, divides frames into pending pushes, and wakes every waiting task."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from services.jetstream.connection import ConnectionState, DisconnectReason
from services.jetstream.dedup import DedupWindow
from services.jetstream.inbox import MAX_PENDING_PUSHES, Inbox, PushLimits
from services.jetstream.resume import ResumeHint, ResumePlan
from services.jetstream.validate import validator
from services.shared.cursor import Cursor, Window
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = 10**15
LIMIT = 10.0
LARGEST = 1000


def connection(host: str = "h", window: Window | None = None) -> ConnectionState:
    plan = ResumePlan(host, T, exact=False, hint=ResumeHint(), cursor=Cursor(T, 1, 0))
    return ConnectionState(plan, 0.0, window)


def inbox_of(frames: int, size: int) -> Inbox:
    return Inbox(PushLimits(frames, size), DedupWindow(60, 10_000), validator(LARGEST))


def event(number: int, size: int = 0) -> bytes:
    """Return a frame of at least `size` bytes."""
    envelope = {"did": "d", "time_us": T + number, "kind": "identity", "identity": {"seq": number}}
    return json.dumps(envelope, separators=(",", ":")).encode().ljust(size)


def play(scenario: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, LIMIT))


@given(
    st.lists(st.lists(st.integers(60, 200), max_size=9), max_size=12), st.integers(1, 5), st.integers(50, 600)
)
def test_pending_pushes_hold_all_frames_in_order_and_within_limits(
    batches: list[list[int]], most: int, size: int
) -> None:
    inbox, one = inbox_of(most, size), connection()
    put: list[bytes] = []
    for sizes in batches:
        frames = [event(len(put) + index, wanted) for index, wanted in enumerate(sizes)]
        put += frames
        inbox.put_all(one, frames, 0.0)
    taken: list[bytes] = []
    while inbox:
        held = put[len(taken) :]
        assert (len(inbox), one.unpushed) == (len(held), len(held))
        assert inbox.is_full == (
            len(held) >= MAX_PENDING_PUSHES * most or sum(map(len, held)) >= MAX_PENDING_PUSHES * size
        )
        pending = inbox.take()
        assert inbox.take() is pending, "it stays in the inbox"
        elements = pending.elements[Stream.IDENTITIES]
        assert pending.frames == len(elements) <= most
        assert pending.size == sum(map(len, elements))
        assert pending.frames == 1 or pending.size <= size
        taken += elements
        inbox.drop()
    assert taken == put
    assert (len(inbox), one.unpushed, inbox.is_full) == (0, 0, False)


@given(st.lists(st.integers(1, 7), min_size=2, max_size=20))
def test_pending_pushes_are_filled_to_their_limit(batches: list[int]) -> None:
    inbox, one = inbox_of(5, 10_000), connection()
    for number, frames in enumerate(batches):
        inbox.put_all(one, [event(100 * number + index) for index in range(frames)], 0.0)
    sizes = []
    while inbox:
        sizes.append(inbox.take().frames)
        inbox.drop()
    assert sizes[:-1] == [5] * (len(sizes) - 1)


def test_frames_that_arrive_during_a_push_go_into_the_next_one() -> None:
    inbox, one = inbox_of(5, 10_000), connection()
    inbox.put_all(one, [event(1)], 0.0)
    pushed = inbox.take()
    inbox.put_all(one, [event(2), event(1)], 0.0)
    assert pushed.elements == {Stream.IDENTITIES: [event(1)]}
    inbox.drop()
    later = inbox.take()
    assert later.elements == {Stream.IDENTITIES: [event(2)]}, (
        "an identity is known while its push is under way"
    )
    assert later.counts()["identities:duplicate"] == 1


def test_an_empty_inbox_gives_an_empty_pending_push() -> None:
    inbox = inbox_of(5, 10_000)
    assert not inbox.take().is_worth_pushing()
    inbox.drop()
    assert len(inbox) == 0


def test_a_single_frame_of_any_size_is_accepted() -> None:
    inbox = inbox_of(5, 10)
    inbox.put_all(connection(), [event(1, 500)], 0.0)
    assert inbox.is_full
    assert inbox.take().frames == 1


def test_a_wait_for_frames_ends_with_a_frame_or_the_timeout() -> None:
    async def scenario() -> None:
        inbox = inbox_of(5, 1000)
        await inbox.filled(0.01)
        waiting = asyncio.create_task(inbox.filled(LIMIT * 10))
        await asyncio.sleep(0)
        inbox.put_all(connection(), [event(1)], 0.0)
        await waiting
        await inbox.filled(LIMIT * 10)

    play(scenario())


def test_a_wake_ends_the_wait_for_frames() -> None:
    async def scenario() -> None:
        inbox = inbox_of(5, 1000)
        waiting = asyncio.create_task(inbox.filled(LIMIT * 10))
        await asyncio.sleep(0)
        inbox.wake()
        await waiting

    play(scenario())


def test_all_tasks_that_wait_for_room_or_drain_are_woken() -> None:
    async def scenario() -> None:
        inbox, one = inbox_of(1, 10_000), connection()
        inbox.put_all(one, [event(number) for number in range(MAX_PENDING_PUSHES)], 0.0)
        rooms = [asyncio.create_task(inbox.room(one)) for _ in range(3)]
        drains = [asyncio.create_task(inbox.drained(one)) for _ in range(3)]
        await asyncio.sleep(0)
        inbox.take()
        inbox.drop()
        await asyncio.gather(*rooms)
        for _ in range(MAX_PENDING_PUSHES - 1):
            assert not any(task.done() for task in drains)
            inbox.take()
            inbox.drop()
        await asyncio.gather(*drains)

    play(scenario())


def test_a_connection_that_is_ending_does_not_wait_for_room() -> None:
    async def scenario() -> None:
        inbox, one = inbox_of(1, 10), connection()
        inbox.put_all(one, [event(1, 100)], 0.0)
        one.opened(inbox.wake)
        waiting = asyncio.create_task(inbox.room(one))
        await asyncio.sleep(0)
        one.end(DisconnectReason.PAUSED)
        await waiting

    play(scenario())


def test_a_connection_drains_while_others_keep_sending() -> None:
    """The re-read of a window waits for its own frames while the live tail keeps the inbox filled."""

    async def scenario() -> None:
        inbox, live = inbox_of(5, 10_000), connection()
        window = connection(window=Window(T, T + 10, "h"))
        inbox.put_all(window, [event(1)], 0.0)
        inbox.complete_window(window)
        assert window.unpushed == 2
        waiting = asyncio.create_task(inbox.drained(window))
        for number in range(20):
            await asyncio.sleep(0)
            inbox.put_all(live, [event(100 + number)], 0.0)
            inbox.take()
            inbox.put_all(live, [event(200 + number)], 0.0)
            inbox.drop()
        await asyncio.sleep(0)
        done = waiting.done()
        waiting.cancel()
        assert done
        assert inbox

    play(scenario())


def test_frames_of_a_batch_are_validated_and_keep_their_arrival_time() -> None:
    inbox, one = inbox_of(10, 10_000), connection()
    inbox.put_all(one, [event(5), b"{", b"x" * (LARGEST + 1)], 7.0)
    inbox.put_all(one, [event(9)], 8.0)
    pending = inbox.take()
    assert pending.elements[Stream.IDENTITIES] == [event(5), event(9)]
    assert pending.rejects == {"not_json": 1, "too_large": 1}
    assert (pending.first_at, pending.time_range_us) == (7.0, (T + 5, T + 9))


def test_room_left_is_at_least_one_frame() -> None:
    inbox = inbox_of(1, 10_000)
    for left in (*range(MAX_PENDING_PUSHES, 0, -1), 1):
        assert inbox.room_left == left
        inbox.put_all(connection(), [event(left)], 0.0)
