"""A real websocket server that speaks Jetstream's v1 wire like a host of either kind, with faults.

It takes the place of the public Jetstream hosts. In a test:

    clock = Clock(first_us=FIRST, backlog_s=60)
    traffic = Traffic(seed=1, first_us=FIRST, rate=500.0)
    async with FakeJetstream(Options(source=traffic, clock=clock)) as fake:
        fake.faults.hang_up(1006, after=100)
        ...  # connect to fake.url; fake.connections and fake.faults.fired record what happened
"""

from __future__ import annotations

from testing.fakes.jetstream.hostile import planted
from testing.fakes.jetstream.server import FakeJetstream
from testing.fakes.jetstream.settings import Clock, Options
from testing.fakes.jetstream.sources import Recording
from testing.fakes.jetstream.store import Planted

__all__ = ["Clock", "FakeJetstream", "Options", "Planted", "Recording", "planted"]
