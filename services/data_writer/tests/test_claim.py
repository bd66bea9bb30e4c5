"""When a stream is claimed."""

from __future__ import annotations

from services.data_writer.claim import ClaimLimits, Schedule
from services.shared.event import Stream

POSTS, LIKES = Stream.POSTS, Stream.LIKES
LIMITS = ClaimLimits(interval=300.0, rows=1000, age=120.0)


def test_every_interval_claims_every_stream_the_empty_ones_too() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    assert schedule.due({POSTS: 0, LIKES: 5}, 299.9) == []
    assert schedule.due({POSTS: 0, LIKES: 5}, 300.0) == [POSTS, LIKES]


def test_a_long_list_is_claimed_at_once_and_alone() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    assert schedule.due({POSTS: 10, LIKES: 1000}, 1.0) == [LIKES]


def test_events_that_were_seen_waiting_for_too_long_are_claimed() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    assert schedule.due({POSTS: 1, LIKES: 0}, 10.0) == []
    assert schedule.due({POSTS: 1, LIKES: 0}, 129.9) == []
    assert schedule.due({POSTS: 1, LIKES: 0}, 130.0) == [POSTS]
    assert schedule.oldest_wait(POSTS, 130.0) == 120.0


def test_a_wait_ends_with_the_round_and_not_with_an_empty_list() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    schedule.due({POSTS: 1, LIKES: 1}, 10.0)
    schedule.claimed([POSTS], 11.0, whole=False)
    schedule.due({POSTS: 1, LIKES: 0}, 12.0)
    assert schedule.oldest_wait(POSTS, 20.0) == 8.0
    assert schedule.oldest_wait(LIKES, 20.0) == 10.0
    assert LIKES in schedule.due({POSTS: 0, LIKES: 0}, 130.0)
    schedule.claimed([POSTS, LIKES], 130.0, whole=False)
    assert schedule.oldest_wait(LIKES, 140.0) == 0.0


def test_a_partial_round_does_not_put_off_the_next_whole_one() -> None:
    schedule = Schedule(LIMITS, round_at=0.0)
    schedule.claimed([LIKES], 299.0, whole=False)
    assert schedule.due({POSTS: 0, LIKES: 0}, 300.0) == [POSTS, LIKES]
    schedule.claimed([POSTS, LIKES], 300.0, whole=True)
    assert schedule.due({POSTS: 0, LIKES: 0}, 599.0) == []
