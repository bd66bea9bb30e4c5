"""Traffic whose rate is turned: each event is a function of its index, and its time is the inverse of it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testing.events import HostView, Traffic
from testing.fakes.jetstream.client import play, stopped_clock, subscribed, take
from testing.fakes.jetstream.settings import Options
from testing.fakes.jetstream.sources import paced

if TYPE_CHECKING:
    from testing.fakes.jetstream import FakeJetstream

FIRST_US = 1_783_175_888_000_000
TURNS = st.lists(st.tuples(st.integers(0, 300), st.floats(0.5, 20_000)), max_size=6)


@given(turns=TURNS, rate=st.floats(1, 5_000))
def test_times_rise_and_are_found_again(turns: list[tuple[int, float]], rate: float) -> None:
    traffic, tip = paced(Traffic(1, FIRST_US, rate)), 0
    for further, turned in turns:
        tip += further
        traffic = traffic.with_rate(tip, turned)
    times = [traffic.time_us(i) for i in range(tip + 300)]
    assert all(before < after for before, after in itertools.pairwise(times))
    for i, at in enumerate(times):
        assert traffic.index_at(at) == i
        assert traffic.index_at(at + 1) == i + 1


@given(tip=st.integers(0, 1_000), rate=st.floats(1, 5_000), turned=st.floats(0.5, 20_000))
def test_what_has_happened_does_not_change(tip: int, rate: float, turned: float) -> None:
    before = Traffic(1, FIRST_US, rate)
    after = paced(before).with_rate(tip, turned)
    view = HostView()
    for i in {0, tip // 2, tip}:
        assert after.frame(i, view) == before.frame(i, view)


def test_a_turn_that_has_not_come_is_replaced() -> None:
    traffic = paced(Traffic(1, FIRST_US, 1.0)).with_rate(5, 10.0).with_rate(5, 20.0)
    assert [change.milli for change in traffic.changes] == [20_000]


@pytest.mark.parametrize("speed", [1.0, 8.0])
def test_shares_of_several_commanders_add_up(speed: float) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.options.clock.speed = speed
        assert fake.store.pace(300.0) == pytest.approx(300.0 + 8.0 * speed)
        assert fake.store.pace(400.0) == pytest.approx(700.0 + 8.0 * speed)
        fake.options.clock.speed = 0.0
        tip = fake.store.tip()
        fake.options.clock.advance(10 * speed)
        # All but the one event that still came at the old rate, up to a second of a share.
        assert fake.store.tip() - tip == pytest.approx(7_000 + 80 * speed, rel=0.03)
        async with subscribed(fake, f"?cursor={FIRST_US}") as socket:
            frames = await take(socket, 100)
        source = fake.store.source
        assert isinstance(source, Traffic)
        assert frames == [source.frame(i, HostView()) for i in range(100)]

    clock = stopped_clock(FIRST_US, 20.0)
    play(scenario, Options(source=Traffic(1, FIRST_US, 8.0), clock=clock))
