"""A real websocket server that speaks Jetstream's v1 wire as both kinds of host do, and lies on command.

Stands before the spine, in the network's place. In a test:

    clock = Clock(first_us=FIRST, backlog_s=60)
    traffic = Traffic(seed=1, first_us=FIRST, rate=500.0)
    async with FakeJetstream(Options(source=traffic, clock=clock)) as fake:
        fake.lies.hang_up(1006, after=100)
        ...  # connect to fake.url; fake.connections and fake.lies.fired say what happened
"""

from __future__ import annotations

from testing.fakes.jetstream.clock import Clock
from testing.fakes.jetstream.hostile import planted
from testing.fakes.jetstream.recording import Recording
from testing.fakes.jetstream.server import FakeJetstream
from testing.fakes.jetstream.settings import Options
from testing.fakes.jetstream.store import Planted

__all__ = ["Clock", "FakeJetstream", "Options", "Planted", "Recording", "planted"]
