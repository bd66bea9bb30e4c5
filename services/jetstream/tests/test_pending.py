"""What has arrived becomes one push: everything in order and once, the cursor behind the last event."""

from __future__ import annotations

import json
import re
from collections import Counter

import msgspec
import pytest

from services.jetstream.connection import ConnectionState, DisconnectReason
from services.jetstream.dedup import DedupWindow
from services.jetstream.pending import PendingPush
from services.jetstream.resume import ResumeHint, Rewind, resume_plan
from services.jetstream.validate import validate, validator
from services.shared.cursor import Cursor, Window
from services.shared.event import Gap, GapReason, Stream
from testing.events import HostView, Traffic

T = 1_783_166_400_000_000
US = 1_000_000
NOW_US = T + 3600 * US
LARGEST = 10_000
VALIDATE = validator(LARGEST)
START = Cursor(T, 1, 4)
V1 = list(Traffic(1, T, 50, 300).truth(HostView()))
V2 = list(Traffic(1, T, 50, 300).truth(HostView("v2", 0, 900)))


def identity(frame: bytes) -> bytes:
    return validate(frame, LARGEST).identity


def after(frames: list[bytes], kind: str = "v1", **change: object) -> Cursor:
    """Return the cursor that stands behind these frames of host a."""
    last = validate(frames[-1], LARGEST)
    v1 = kind == "v1"
    fields = {
        "time_us": last.time_us,
        "host": "a",
        "kind": "v1" if v1 else "v2",
        "seq": last.seq,
        "identity": last.identity.hex(),
    }
    return Cursor(**{**fields, "epoch": 1, "push": 5, **change})  # type: ignore[arg-type]


def connection(cursor: Cursor, host: str = "a", window: Window | None = None) -> ConnectionState:
    return ConnectionState(resume_plan(cursor, host, Rewind(5 * US, 30 * US), ResumeHint()), 0.0, window)


def pending(dedup: DedupWindow | None = None) -> PendingPush:
    return PendingPush(DedupWindow(60, 10_000) if dedup is None else dedup)


def add(one: PendingPush, of: ConnectionState, frames: list[bytes], every: float = 0.02) -> None:
    for number, frame in enumerate(frames):
        one.add(of, [frame], [VALIDATE(frame)], number * every, now_us=7)


def test_events_are_pushed_in_order_and_the_cursor_is_that_of_the_last() -> None:
    one = pending()
    add(one, connection(START), V1)
    push = one.build(START, "nonce", Counter(), NOW_US)
    assert sum(map(len, push.elements.values())) == len(V1)
    for stream, elements in push.elements.items():
        assert elements == [frame for frame in V1 if validate(frame, LARGEST).stream is stream]
    assert msgspec.structs.replace(push.cursor, windows=()) == after(V1, nonce="nonce")
    assert push.recent.identities == tuple(map(identity, V1))
    assert push.counts["posts:pushed"] == push.counts["posts:received"] == len(push.elements[Stream.POSTS])


def test_the_cursor_holds_a_v2_hosts_sequence_number() -> None:
    one = pending()
    add(one, connection(START), V2)
    assert one.build(START, "n", Counter(), NOW_US).cursor == after(V2, "v2", nonce="n", seq=1199)


def test_repeats_are_counted_not_pushed_and_move_the_cursor() -> None:
    dedup = DedupWindow(60, 10_000)
    first = pending(dedup)
    add(first, connection(START), V1[:200])
    push = first.build(START, "n", Counter(), NOW_US)
    dedup.pushed(push.recent, 0)
    second, again = pending(dedup), connection(push.cursor)
    add(second, again, V1[100:200])
    assert not second.is_worth_pushing()
    assert second.counts().total() == 200, "each counts as received and as duplicate"
    add(second, again, V1[200:] + V1[200:])
    after_all = second.build(push.cursor, "n", Counter({"posts:duplicate": 5}), NOW_US)
    assert sum(map(len, after_all.elements.values())) == 100
    counts = {
        what: sum(n for name, n in after_all.counts.items() if name.endswith(what))
        for what in ("received", "pushed", "duplicate")
    }
    assert counts == {"received": 300, "pushed": 100, "duplicate": 205}
    assert after_all.cursor.time_us == validate(V1[-1], LARGEST).time_us
    assert list(second.progressed) == [again]


def test_a_bad_frame_is_kept_once_and_does_not_move_the_cursor() -> None:
    one, of = pending(), connection(START)
    add(one, of, [b"{", b"\xff", b"{"])
    push = one.build(START, "n", Counter(), NOW_US)
    assert [json.loads(element)["reason"] for element in push.elements[Stream.REJECTS]] == [
        "not_json",
        "bad_unicode",
    ]
    assert (push.cursor.time_us, push.cursor.host, push.cursor.push) == (T, "", 5)
    assert one.rejects == {"not_json": 2, "bad_unicode": 1}
    assert (
        push.counts["rejects:received"],
        push.counts["rejects:pushed"],
        push.counts["rejects:duplicate"],
    ) == (3, 2, 1)


def test_a_gap_row_is_pushed_with_the_cursor_that_steps_over_the_gap() -> None:
    cursor = after(V1[:50])
    one = pending()
    add(one, connection(cursor), V1[200:])
    push = one.build(cursor, "n", Counter(), NOW_US)
    (row,) = push.elements[Stream.GAPS]
    row_fields = json.loads(row)
    assert (row_fields["from_us"], row_fields["to_us"]) == (
        cursor.time_us,
        validate(V1[200], LARGEST).time_us,
    )
    assert (row_fields["reason"], push.counts["gaps:pushed"]) == ("cursor_too_old", 1)
    assert push.cursor.time_us > row_fields["to_us"]


@pytest.mark.parametrize(
    ("cursor", "frames", "reason"),
    [
        (after(V2[:10], "v2"), V2[20:], DisconnectReason.ANOTHER_SERVER),
        (after(V1[-1:], time_us=T + 3600 * US), V1, DisconnectReason.STEPPED_BACK),
    ],
)
def test_nothing_is_used_of_a_host_that_is_another_server_or_stepped_back(
    cursor: Cursor, frames: list[bytes], reason: DisconnectReason
) -> None:
    one, of = pending(), connection(cursor)
    add(one, of, frames)
    assert not one.is_worth_pushing()
    assert (one.counts().total(), of.is_discarded) == (0, True)
    (ending,) = one.endings
    assert (ending.reason, ending.time_us) == (reason, validate(frames[0], LARGEST).time_us)


def window_of(first: int, last: int) -> Window:
    return Window(validate(V1[first], LARGEST).time_us, validate(V1[last], LARGEST).time_us, "a")


def test_a_reread_window_adds_missed_events_and_does_not_move_the_cursor() -> None:
    window = window_of(100, 200)
    cursor = after(V1[:250], windows=(window,))
    dedup = DedupWindow(60, 10_000)
    seen = pending(dedup)
    add(seen, connection(START), V1[:120] + V1[140:250])
    dedup.pushed(seen.build(START, "n", Counter(), NOW_US).recent, 0)
    one, of = pending(dedup), connection(cursor, window=window)
    add(one, of, V1[100:250])
    push = one.build(cursor, "n", Counter(), NOW_US)
    assert sum(map(len, push.elements.values())) == 20
    assert (push.cursor.time_us, push.cursor.identity) == (cursor.time_us, cursor.identity)
    assert of.is_window_complete
    assert [ending.reason for ending in one.endings] == [DisconnectReason.CLOSED]
    assert push.cursor.windows == (window,), "removed only once all of it is pushed"
    assert sum(push.counts[f"{stream}:received"] for stream in Stream) == 101, (
        "what lies behind it is not taken"
    )
    last = pending(dedup)
    last.complete_window(of)
    assert last.is_worth_pushing()
    assert last.build(push.cursor, "n", Counter(), NOW_US).cursor.windows == ()


def test_a_cutover_window_is_stored_with_the_push_that_shows_it() -> None:
    one = pending()
    of = connection(START)
    add(one, of, V1[:150], every=0.002)
    for number, frame in enumerate(V1[150:]):
        one.add(of, [frame], [VALIDATE(frame)], 0.3 + number * 0.04, 7)
    (window,) = one.build(START, "n", Counter(), NOW_US).cursor.windows
    assert window.host == "a"
    assert window.from_us < validate(V1[150], LARGEST).time_us < window.to_us


def test_a_replay_received_in_one_batch_is_covered_from_its_first_event() -> None:
    """A busy ingester may read the replay, its end and seconds of the live tail at once."""
    long = list(Traffic(1, T, 50, 900).truth(HostView()))
    one, of = pending(), connection(START)
    one.add(of, long[:600], list(map(VALIDATE, long[:600])), 0.0, 7)
    for number, frame in enumerate(long[600:]):
        one.add(of, [frame], [VALIDATE(frame)], 2.1 + number * 0.02, 7)
    (window,) = one.build(START, "n", Counter(), NOW_US).cursor.windows
    first, last = (validate(frame, LARGEST).time_us for frame in (long[0], long[599]))
    assert window.from_us < first < last < window.to_us


def test_an_added_gap_is_pushed_even_alone_and_only_once() -> None:
    """Also when the reply to its push was lost and it is added again."""
    gap = Gap(1, 2, GapReason.CUTOVER, "a", 3)
    one = pending()
    one.add_gap(gap)
    assert one.is_worth_pushing()
    push = one.build(START, "n", Counter(), NOW_US)
    assert (push.elements, push.cursor.push) == ({Stream.GAPS: [gap.encode()]}, START.push + 1)
    dedup = DedupWindow(60, 10_000)
    dedup.refill([push.recent])
    again = pending(dedup)
    again.add_gap(gap)
    assert not again.is_worth_pushing()
    again.add_gap(Gap(1, 9, GapReason.CUTOVER, "a", 3))
    assert again.is_worth_pushing()


def test_an_event_far_in_the_future_neither_empties_nor_fills_the_dedup_window() -> None:
    dedup = DedupWindow(60, 10_000)
    times = [T + (9 * 365 * 86_400 if second == 1 else second * 30) * US for second in range(6)]
    frames = [
        re.sub(rb'"time_us":\d+', b'"time_us":%d' % time_us, frame, count=1)
        for frame, time_us in zip(V1[:6], times, strict=True)
    ]
    evicted, host = [], connection(START)
    for second, frame in enumerate(frames):
        one = pending(dedup)
        add(one, host, [frame])
        push = one.build(START, "n", Counter(), T + second * 30 * US)
        dedup.pushed(push.recent, push.evicted)
        evicted.append(push.evicted)
    assert evicted[1] == 0, "the rewind's repeats are still known"
    assert len(dedup) <= 4, "and what is older than a minute is evicted"


def test_repeats_do_not_show_that_a_host_sends_a_collection_now() -> None:
    """Otherwise two hosts without a rare collection would be left for each other for ever."""
    dedup = DedupWindow(60, 10_000)
    first = pending(dedup)
    add(first, connection(START), V1)
    assert first.collections.total() == len(V1)
    push = first.build(START, "nonce", Counter(), NOW_US)
    dedup.pushed(push.recent, push.evicted)
    again = pending(dedup)
    add(again, connection(push.cursor), V1)
    assert again.collections.total() == 0
