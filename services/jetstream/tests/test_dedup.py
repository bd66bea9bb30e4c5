"""The deduplication window: equal to `archive:recent`, as long as configured, and bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.buffer.push import RecentPush
from services.jetstream.dedup import DedupWindow, Evictable

SECOND = 1_000_000


def push(number: int, time_us: int, events: int) -> RecentPush:
    return RecentPush(time_us, tuple((number * 1000 + i).to_bytes(16, "big") for i in range(events)))


def grow(dedup: DedupWindow, one: RecentPush) -> Evictable:
    dedup.known.update(one.identities)
    evictable = dedup.to_evict(one.time_us, len(one.identities))
    dedup.pushed(one, evictable.pushes)
    return evictable


def test_exactly_the_pushed_identities_are_known() -> None:
    dedup = DedupWindow(60, 100)
    one = push(1, 0, 3)
    grow(dedup, one)
    assert dedup.known == set(one.identities)
    assert len(dedup) == 3


def test_pending_identities_are_known_but_not_counted() -> None:
    dedup = DedupWindow(60, 5)
    grow(dedup, push(1, 0, 3))
    dedup.known.update(push(2, 0, 2).identities + push(3, 0, 2).identities)
    assert (len(dedup), dedup.to_evict(0, 2)) == (3, Evictable(0, 0))
    dedup.pushed(push(2, 0, 2), 0)
    assert (len(dedup), dedup.to_evict(0, 2)) == (5, Evictable(1, 1))
    dedup.refill([])
    assert dedup.known == set(), "its push has failed"


def test_a_push_is_evicted_once_its_time_has_passed() -> None:
    dedup = DedupWindow(60, 100)
    grow(dedup, push(1, 0, 2))
    assert grow(dedup, push(2, 60 * SECOND, 2)) == Evictable(0, 0)
    assert grow(dedup, push(3, 60 * SECOND + 1, 2)) == Evictable(1, 0)
    assert len(dedup) == 4


def test_to_evict_changes_nothing() -> None:
    dedup = DedupWindow(1, 10)
    grow(dedup, push(1, 0, 2))
    assert dedup.to_evict(10**12, 5) == dedup.to_evict(10**12, 5) == Evictable(1, 0)
    assert len(dedup) == 2


def test_evictions_by_size_are_counted() -> None:
    dedup = DedupWindow(60, 10)
    for number in range(3):
        grow(dedup, push(number, number, 3))
    assert dedup.to_evict(4, 1) == Evictable(0, 0)
    assert dedup.to_evict(4, 2) == Evictable(1, 1)
    assert dedup.to_evict(4, 8) == Evictable(3, 3)
    assert dedup.to_evict(61 * SECOND, 8) == Evictable(3, 0), "their time has passed"


def test_an_older_cursor_evicts_nothing() -> None:
    dedup = DedupWindow(60, 100)
    grow(dedup, push(1, 10**15, 2))
    assert grow(dedup, push(2, 5, 2)) == Evictable(0, 0)


def test_a_push_without_identities_adds_no_element() -> None:
    dedup = DedupWindow(60, 100)
    grow(dedup, RecentPush(1, ()))
    assert dedup.to_evict(10**15, 0) == Evictable(0, 0), "Redis holds no element either"


def test_refill_drops_what_redis_does_not_hold() -> None:
    dedup = DedupWindow(60, 100)
    lost, kept = push(1, 0, 2), push(2, 0, 2)
    grow(dedup, lost)
    dedup.refill([kept])
    assert dedup.known == set(kept.identities)
    assert len(dedup) == 2


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=30))
def test_window_and_redis_hold_the_same_after_any_pushes(steps: list[tuple[int, int]]) -> None:
    dedup, redis = DedupWindow(10, 30), list[RecentPush]()
    now = 0
    for number, (later, events) in enumerate(steps):
        now += later * SECOND // 4
        one = push(number, now, events)
        evictable = grow(dedup, one)
        redis += [one] if events else []
        redis = redis[evictable.pushes :]
        held = {identity for element in redis for identity in element.identities}
        assert len(dedup) == len(held) <= max(30, events)
        assert dedup.known == held
        if not evictable.by_size:
            assert all(element.time_us >= now - 10 * SECOND for element in redis)
        refilled = DedupWindow(10, 30)
        refilled.refill(redis)
        assert refilled.to_evict(now + SECOND, 3) == dedup.to_evict(now + SECOND, 3)
