"""A collection that a host stopped sending is reported; a rare one is not."""

from __future__ import annotations

import random

import pytest

from services.jetstream.silence import (
    MAX_COLLECTIONS,
    MEAN_INTERVALS,
    MIN_TIMEOUT_US,
    CollectionWatch,
    Silence,
)

US = 1_000_000
T = 1_783_166_400 * US


def run(watch: CollectionWatch, seconds: range, **per_second: float) -> list[tuple[int, Silence]]:
    """Feed so many events per second; return each second at which a collection is silent."""
    found = []
    for second in seconds:
        counts = {name: int(rate) for name, rate in per_second.items() if rate >= 1}
        counts |= {
            name: 1 for name, rate in per_second.items() if 0 < rate < 1 and second % round(1 / rate) == 0
        }
        watch.see(counts, T + second * US)
        silence = watch.silent()
        if silence is not None:
            found.append((second, silence))
    return found


@pytest.mark.parametrize(("rate", "timeout"), [(500.0, 30), (10.0, 30), (0.5, 40), (0.1, 200)])
def test_silence_is_noticed_after_twenty_mean_intervals(rate: float, timeout: int) -> None:
    watch = CollectionWatch()
    assert run(watch, range(4000), posts=rate, likes=100.0) == []
    found = run(watch, range(4000, 4600), likes=100.0)
    second, silence = found[0]
    assert silence.collection == "posts"
    assert timeout * 0.9 <= second - (silence.last_us - T) / US <= timeout * 1.3 + 2
    assert silence.hosts_left == 0


def test_a_collection_is_complete_up_to_the_batch_before_its_last() -> None:
    watch = CollectionWatch()
    run(watch, range(600), posts=5.0, likes=5.0)
    # The host stopped sending posts in the middle of this batch.
    watch.see({"posts": 1, "likes": 50}, T + 610 * US)
    (_, silence), *_ = run(watch, range(611, 700), likes=5.0)
    assert silence.last_us == T + 599 * US


def test_random_intervals_are_not_silence() -> None:
    watch, rng = CollectionWatch(), random.Random(1)
    for second in range(20_000):
        counts = {name: 1 for name, rate in (("a", 0.5), ("b", 0.05), ("c", 0.2)) if rng.random() < rate}
        watch.see(counts, T + second * US)
        assert watch.silent() is None


def test_rarely_seen_collections_are_not_watched() -> None:
    watch = CollectionWatch()
    run(watch, range(29), rare=1.0)
    assert run(watch, range(29, 4000), likes=10.0) == []


def test_a_replay_of_any_speed_is_judged_like_the_live_tail() -> None:
    slow, fast = CollectionWatch(), CollectionWatch()
    run(slow, range(600), posts=5.0)
    for second in range(0, 600, 20):
        fast.see({"posts": 100}, T + second * US)
    for watch in (slow, fast):
        watch.see({"likes": 1}, T + 600 * US + int(MIN_TIMEOUT_US))
        watch.see({"likes": 1}, T + 700 * US)
        assert watch.silent() is not None


def test_silence_of_all_collections_is_not_reported() -> None:
    watch = CollectionWatch()
    run(watch, range(600), posts=5.0, likes=5.0)
    assert watch.silent() is None, "without newer events nothing can be concluded"


def test_hosts_left_are_counted_until_the_collection_is_seen_again() -> None:
    watch = CollectionWatch()
    run(watch, range(600), posts=5.0, likes=5.0)
    (_, silence), *_ = run(watch, range(600, 700), likes=5.0)
    watch.host_left(silence)
    again = watch.silent()
    assert again is not None
    assert again.hosts_left == 1
    watch.see({"posts": 1}, T + 701 * US)
    assert watch.silent() is None
    (_, later), *_ = run(watch, range(702, 900), likes=5.0)
    assert later.hosts_left == 0


def test_after_giving_up_the_return_of_a_collection_ends_the_gap() -> None:
    watch = CollectionWatch()
    run(watch, range(600), posts=5.0, likes=5.0)
    (second, silence), *_ = run(watch, range(600, 640), likes=5.0)
    until_us = watch.give_up(silence)
    assert until_us == T + 639 * US
    assert second < 639
    assert run(watch, range(640, 900), likes=5.0) == []
    (ended,) = watch.see({"posts": 1}, T + 900 * US)
    assert (ended.collection, ended.last_us) == ("posts", until_us), "the two rows join"
    assert watch.see({"posts": 1}, T + 901 * US) == []


def test_invented_collections_do_not_displace_known_ones() -> None:
    watch = CollectionWatch()
    run(watch, range(60), posts=50.0)
    watch.see({f"x{i}": 50 for i in range(10 * MAX_COLLECTIONS)}, T + 61 * US)
    (_, silence), *_ = run(watch, range(62, 200), likes=1.0)
    assert silence.collection == "posts"
    assert MEAN_INTERVALS < MAX_COLLECTIONS
