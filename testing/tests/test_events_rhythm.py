"""Rates that vary with the day and in bursts: exact inverses, the same mean, the same events."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testing.events import HostView, Rhythm, Traffic
from testing.fakes.jetstream.__main__ import arguments, options
from testing.harness.host import Host
from testing.harness.truth import truth_of

FIRST_US = 1_783_175_888_000_000
DAY_US = 86_400_000_000
HOUR_US = DAY_US // 24
BURSTS = Rhythm(burst_every_s=600, burst_s=60, burst_times=10)
BOTH = Rhythm(day=True, burst_every_s=3600, burst_s=120, burst_times=5)

rhythms = st.sampled_from(
    [Rhythm(day=True), BURSTS, BOTH, Rhythm(True, 60, 59, 2), Rhythm(True, 43_200, 1, 100)]
)
times = st.integers(0, 2 * DAY_US)


@given(rhythms, times, st.floats(0.5, 9_000), st.integers(FIRST_US, FIRST_US + DAY_US))
@settings(max_examples=300)
def test_times_increase_and_index_at_is_their_inverse(
    rhythm: Rhythm, since_us: int, rate: float, first_us: int
) -> None:
    traffic = Traffic(3, first_us, rate, rhythm=rhythm)
    i = traffic.index_at(first_us + since_us)
    assert traffic.time_us(i) >= first_us + since_us
    assert i == 0 or traffic.time_us(i - 1) < first_us + since_us
    at = traffic.time_us(i)
    assert at < traffic.time_us(i + 1)
    assert (traffic.index_at(at), traffic.index_at(at + 1)) == (i, i + 1)
    assert traffic.index_at(first_us - 1) == 0


def test_every_day_has_as_many_events_as_a_flat_one() -> None:
    traffic = Traffic(1, FIRST_US, 350.0, rhythm=Rhythm(day=True))
    assert traffic.index_at(FIRST_US + DAY_US) == pytest.approx(350 * 86_400, abs=2)
    assert traffic.index_at(FIRST_US + 2 * DAY_US) == pytest.approx(2 * 350 * 86_400, abs=2)


def test_the_curve_follows_the_clock_not_the_start() -> None:
    midnight = FIRST_US - FIRST_US % DAY_US
    in_the_evening = []
    for start in (0, 5 * HOUR_US + 1_234_567, 11 * HOUR_US):
        traffic = Traffic(1, midnight + start, 350.0, rhythm=Rhythm(day=True))
        ends = [traffic.index_at(midnight + hour * HOUR_US) for hour in (20, 21)]
        in_the_evening.append(ends[1] - ends[0])
    assert in_the_evening == pytest.approx([350 * 3600 * 1.418] * 3, abs=2)


def test_bursts_multiply_the_rate_and_end() -> None:
    traffic = Traffic(1, FIRST_US, 20.0, rhythm=BURSTS)
    minutes = [traffic.index_at(FIRST_US + at * 60_000_000) for at in range(25)]
    per_minute = [later - sooner for sooner, later in pairwise(minutes)]
    assert [at for at, events in enumerate(per_minute) if events > 11_990] == [10, 20]
    assert all(events == pytest.approx(1_200, abs=2) for at, events in enumerate(per_minute) if at % 10)


def test_a_rhythm_does_not_change_the_events() -> None:
    """The rhythm changes the times of events, not the events."""
    flat, moved = Traffic(5, FIRST_US, 50.0), Traffic(5, FIRST_US, 50.0, rhythm=BOTH)
    assert moved.frame(123_456, HostView()) == Traffic(5, FIRST_US, 50.0, rhythm=BOTH).frame(
        123_456, HostView()
    )
    assert [flat.moment(i).verb for i in range(500)] == [moved.moment(i).verb for i in range(500)]
    assert flat.time_us(40_000) != moved.time_us(40_000)


@pytest.mark.parametrize(
    ("text", "rhythm"),
    [
        ("flat", None),
        ("day", Rhythm(day=True)),
        ("bursts", Rhythm(False, 3600, 60, 10)),
        ("bursts:600:60:10", BURSTS),
        ("day+bursts:3600:120:5", BOTH),
    ],
)
def test_a_rhythm_is_parsed(text: str, rhythm: Rhythm | None) -> None:
    assert Rhythm.parse(text) == rhythm


@pytest.mark.parametrize("text", ["", "night", "bursts:1", "day+night", "day+bursts+bursts", "bursts:a:b:c"])
def test_invalid_rhythms_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rhythm|invalid literal"):
        Rhythm.parse(text)


@pytest.mark.parametrize("rhythm", [Rhythm(False, 7 * 3600), Rhythm(False, 60, 60), Rhythm(False, 60, 0)])
def test_bursts_that_do_not_divide_a_day_are_refused(rhythm: Rhythm) -> None:
    with pytest.raises(ValueError, match="do not divide a day"):
        Traffic(1, FIRST_US, 1.0, rhythm=rhythm)


def test_the_host_and_the_expected_events_have_the_same_rhythm() -> None:
    host_options = {"rate": "100", "events": "5000", "rhythm": "bursts:20:5:3", "first-us": str(FIRST_US)}
    words = [word for name, value in host_options.items() for word in (f"--{name}", value)]
    source = options(arguments(words)).source
    assert isinstance(source, Traffic)
    host = Host(
        {name: value for name, value in host_options.items() if name != "first-us"}, first_us=FIRST_US
    )
    frames = [frame for _, frame in truth_of(host)]
    assert frames == list(source.truth(HostView()))
    times = [json.loads(frame)["time_us"] - FIRST_US for frame in frames]
    assert sum(20_000_000 <= at < 25_000_000 for at in times) == pytest.approx(1_500, abs=1)
