"""The identity memory: always what `archive:recent` holds, as far back as was promised, and bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.buffer.push import RecentPush
from services.jetstream.dedup import Aged, DedupWindow

SECOND = 1_000_000


def push(number: int, time_us: int, events: int) -> RecentPush:
    return RecentPush(time_us, tuple((number * 1000 + i).to_bytes(16, "big") for i in range(events)))


def grow(memory: DedupWindow, one: RecentPush) -> Aged:
    memory.known.update(one.identities)
    aged = memory.aged(one.time_us, len(one.identities))
    memory.pushed(one, aged.elements)
    return aged


def test_what_was_pushed_is_known_and_nothing_else() -> None:
    memory = DedupWindow(60, 100)
    one = push(1, 0, 3)
    grow(memory, one)
    assert memory.known == set(one.identities)
    assert len(memory) == 3


def test_what_is_drafted_is_known_and_takes_no_room_yet() -> None:
    memory = DedupWindow(60, 5)
    grow(memory, push(1, 0, 3))
    memory.known.update(push(2, 0, 2).identities + push(3, 0, 2).identities)
    assert (len(memory), memory.aged(0, 2)) == (3, Aged(0, 0))
    memory.pushed(push(2, 0, 2), 0)
    assert (len(memory), memory.aged(0, 2)) == (5, Aged(1, 1))
    memory.refill([])
    assert memory.known == set(), "its push has failed"


def test_a_push_is_remembered_to_the_end_of_its_time_and_not_longer() -> None:
    memory = DedupWindow(60, 100)
    grow(memory, push(1, 0, 2))
    assert grow(memory, push(2, 60 * SECOND, 2)) == Aged(0, 0)
    assert grow(memory, push(3, 60 * SECOND + 1, 2)) == Aged(1, 0)
    assert len(memory) == 4


def test_asking_changes_nothing() -> None:
    memory = DedupWindow(1, 10)
    grow(memory, push(1, 0, 2))
    assert memory.aged(10**12, 5) == memory.aged(10**12, 5) == Aged(1, 0)
    assert len(memory) == 2


def test_what_goes_for_want_of_room_is_counted() -> None:
    memory = DedupWindow(60, 10)
    for number in range(3):
        grow(memory, push(number, number, 3))
    assert memory.aged(4, 1) == Aged(0, 0)
    assert memory.aged(4, 2) == Aged(1, 1)
    assert memory.aged(4, 8) == Aged(3, 3)
    assert memory.aged(61 * SECOND, 8) == Aged(3, 0), "those had had their time"


def test_an_older_cursor_forgets_nothing() -> None:
    memory = DedupWindow(60, 100)
    grow(memory, push(1, 10**15, 2))
    assert grow(memory, push(2, 5, 2)) == Aged(0, 0)


def test_a_push_of_nothing_new_leaves_no_element() -> None:
    memory = DedupWindow(60, 100)
    grow(memory, RecentPush(1, ()))
    assert memory.aged(10**15, 0) == Aged(0, 0), "Redis holds no element either"


def test_a_refill_forgets_what_redis_does_not_hold() -> None:
    memory = DedupWindow(60, 100)
    lost, kept = push(1, 0, 2), push(2, 0, 2)
    grow(memory, lost)
    memory.refill([kept])
    assert memory.known == set(kept.identities)
    assert len(memory) == 2


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=30))
def test_memory_and_redis_hold_the_same_after_any_pushes(steps: list[tuple[int, int]]) -> None:
    memory, redis = DedupWindow(10, 30), list[RecentPush]()
    now = 0
    for number, (later, events) in enumerate(steps):
        now += later * SECOND // 4
        one = push(number, now, events)
        aged = grow(memory, one)
        redis += [one] if events else []
        redis = redis[aged.elements :]
        held = {identity for element in redis for identity in element.identities}
        assert len(memory) == len(held) <= max(30, events)
        assert memory.known == held
        if not aged.evicted_by_size:
            assert all(element.time_us >= now - 10 * SECOND for element in redis)
        refilled = DedupWindow(10, 30)
        refilled.refill(redis)
        assert refilled.aged(now + SECOND, 3) == memory.aged(now + SECOND, 3)
