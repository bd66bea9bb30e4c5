"""Plays a scenario: to fake hosts by their control sockets, or to an ingester whose hosts are not ours."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from testing.performance.load.scenario import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from testing.harness.host import Host
    from testing.harness.pipeline import Pipeline
    from testing.performance.load.scenario import Act

POLL_SECONDS = 0.5


class Actor(Protocol):
    """Who makes an act happen."""

    def act(self, act: Act, wall_seconds: float) -> None:
        """Let it happen, for so long; returns at once."""

    def tend(self) -> None:
        """Do what has fallen due since."""


@dataclass
class Hosts:
    """Two fake hosts of the same traffic."""

    hosts: list[Host]

    def act(self, act: Act, wall_seconds: float) -> None:
        """Cut the connection, or let one host or both be away."""
        if act.kind is Kind.RECONNECT:
            for host in self.hosts:
                host.send("hang_up")
            return
        away = self.hosts if act.kind is Kind.OUTAGE else [self._used()]
        for host in away:
            host.send("down", seconds=wall_seconds)

    def tend(self) -> None:
        """Nothing: a host comes back by itself."""

    def _used(self) -> Host:
        """Return the host that the ingester is connected to, or was last."""
        sent = [sum(one["close_code"] is None for one in host.status()["connections"]) for host in self.hosts]
        return self.hosts[sent.index(max(sent))]


@dataclass
class Restarts:
    """Hosts that are not ours: what we can do is to end the ingester, and start it otherwise."""

    pipeline: Pipeline
    hosts: list[str]
    """In order of preference; a fail-over puts the first behind the others."""
    _back_at: float | None = None

    def act(self, act: Act, wall_seconds: float) -> None:
        """Restart the ingester: at once, with another host first, or when the outage is over."""
        self.pipeline.ingester.wait_listening()
        self.pipeline.ingester.stop()
        if act.kind is Kind.FAIL_OVER:
            self.hosts = [*self.hosts[1:], self.hosts[0]]
            self.pipeline.ingester.settings["INGEST_HOSTS"] = ",".join(self.hosts)
        if act.kind is Kind.OUTAGE:
            self._back_at = time.monotonic() + wall_seconds
        else:
            self.pipeline.ingester.start()

    def tend(self) -> None:
        """Start the ingester when the outage is over."""
        if self._back_at is not None and time.monotonic() >= self._back_at:
            self._back_at = None
            self.pipeline.ingester.start()

    @property
    def is_away(self) -> bool:
        """Whether the ingester is meant to be away."""
        return self._back_at is not None


@dataclass
class Player:
    """Plays acts at `speed` event seconds in a wall second, and looks after the daemons meanwhile."""

    actor: Actor
    speed: float
    look: Callable[[], None]
    """Called again and again."""
    played: Counter[str] = field(default_factory=Counter)
    _paused: threading.Event = field(default_factory=threading.Event)

    def play(self, acts: Iterable[Act], wall_seconds: float) -> None:
        """Play all, and return when so many seconds have passed."""
        began = time.monotonic()
        for act in acts:
            self._wait(began + act.at / self.speed)
            self.actor.act(act, act.lasts / self.speed)
            self.played[act.kind] += 1
        self._wait(began + wall_seconds)

    def _wait(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            self.actor.tend()
            self.look()
            self._paused.wait(min(left, POLL_SECONDS))
        self.actor.tend()
