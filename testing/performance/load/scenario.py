"""The incidents of two days of the firehose, and how they are played on fake or public hosts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from testing.harness.host import Host
    from testing.harness.pipeline import Pipeline


HOUR = 3600.0
HOURS = 48.0
RECONNECT_EVERY = 300.0
"""Event seconds."""
LEAST_BETWEEN = 4.0
"""Wall seconds: a compressed run reconnects less often."""
LEAST_ABSENCE = 3.0
"""Least wall seconds of an absence, so that it has an effect in a compressed run."""
FAIL_OVERS = (11.0, 35.0)
"""Hours at which the host in use is away for ten minutes."""
FAIL_OVER_SECONDS = 600.0
OUTAGE = (20.0, 28.0)
"""All hosts are away between these hours."""
SPIKE_RHYTHM = "day+bursts:43200:600:10"
"""The curve of the day, and ten minutes of ten times the rate in the middle of each day."""
POLL_SECONDS = 0.5


class Kind(StrEnum):
    """The kind of an incident."""

    RECONNECT = "reconnect"
    FAIL_OVER = "fail_over"
    OUTAGE = "outage"


class Incident(NamedTuple):
    """An incident; start and duration in seconds of event time."""

    at: float
    kind: Kind
    lasts: float


@dataclass(frozen=True)
class Scenario:
    """Two days of event time, or `hours` of it, at `speed` seconds of event time per second of wall time."""

    speed: float
    hours: float = HOURS

    @property
    def seconds(self) -> float:
        """Duration in wall seconds."""
        return self.hours * HOUR / self.speed

    def incidents(self) -> list[Incident]:
        """Return the incidents in order; there are no reconnects while hosts are away."""
        least = LEAST_ABSENCE * self.speed
        away = [Incident(hour * HOUR, Kind.FAIL_OVER, max(FAIL_OVER_SECONDS, least)) for hour in FAIL_OVERS]
        away.append(Incident(OUTAGE[0] * HOUR, Kind.OUTAGE, max((OUTAGE[1] - OUTAGE[0]) * HOUR, least)))
        every = max(RECONNECT_EVERY, LEAST_BETWEEN * self.speed)
        times = (every * number for number in range(1, int(self.hours * HOUR / every)))
        between = [
            Incident(at, Kind.RECONNECT, 0.0)
            for at in times
            if not any(incident.at - every < at < incident.at + incident.lasts + every for incident in away)
        ]
        whole = self.hours * HOUR
        return sorted(incident for incident in [*away, *between] if incident.at + incident.lasts < whole)


class Environment(Protocol):
    """Makes incidents happen."""

    def start(self, incident: Incident, wall_seconds: float) -> None:
        """Start an incident of this duration; returns at once."""

    def poll(self) -> None:
        """End incidents that are over."""


@dataclass
class Hosts:
    """Two fake hosts of the same traffic."""

    hosts: list[Host]

    def start(self, incident: Incident, wall_seconds: float) -> None:
        """Cut the connections, or take one host or both down."""
        if incident.kind is Kind.RECONNECT:
            for host in self.hosts:
                host.send("hang_up")
            return
        away = self.hosts if incident.kind is Kind.OUTAGE else [self._used()]
        for host in away:
            host.send("down", seconds=wall_seconds)

    def poll(self) -> None:
        """Do nothing: hosts come back by themselves."""

    def _used(self) -> Host:
        """Return the host with the most open connections."""
        sent = [sum(one["close_code"] is None for one in host.status()["connections"]) for host in self.hosts]
        return self.hosts[sent.index(max(sent))]


@dataclass
class Restarts:
    """Public hosts: the ingester is stopped and started instead."""

    pipeline: Pipeline
    hosts: list[str]
    """In order of preference; a fail-over moves the first to the end."""
    _back_at: float | None = None

    def start(self, incident: Incident, wall_seconds: float) -> None:
        """Restart the ingester: at once, with another host first, or after an outage."""
        self.pipeline.ingester.wait_listening()
        self.pipeline.ingester.stop()
        if incident.kind is Kind.FAIL_OVER:
            self.hosts = [*self.hosts[1:], self.hosts[0]]
            self.pipeline.ingester.settings["INGEST_HOSTS"] = ",".join(self.hosts)
        if incident.kind is Kind.OUTAGE:
            self._back_at = time.monotonic() + wall_seconds
        else:
            self.pipeline.ingester.start()

    def poll(self) -> None:
        """Start the ingester after an outage."""
        if self._back_at is not None and time.monotonic() >= self._back_at:
            self._back_at = None
            self.pipeline.ingester.start()

    @property
    def is_away(self) -> bool:
        """Whether the ingester is stopped on purpose."""
        return self._back_at is not None


@dataclass
class Player:
    """Starts incidents at `speed` seconds of event time per second of wall time, and polls meanwhile."""

    environment: Environment
    speed: float
    poll: Callable[[], None]
    """Called every POLL_SECONDS."""
    counts: Counter[str] = field(default_factory=Counter)
    _waiting: threading.Event = field(default_factory=threading.Event)

    def play(self, incidents: Iterable[Incident], wall_seconds: float) -> None:
        """Start all incidents, and return after `wall_seconds`."""
        began = time.monotonic()
        for incident in incidents:
            self._wait(began + incident.at / self.speed)
            self.environment.start(incident, incident.lasts / self.speed)
            self.counts[incident.kind] += 1
        self._wait(began + wall_seconds)

    def _wait(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            self.environment.poll()
            self.poll()
            self._waiting.wait(min(left, POLL_SECONDS))
        self.environment.poll()
