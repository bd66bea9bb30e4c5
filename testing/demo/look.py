"""One look at the running daemons: their own metrics, as figures for a view."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.shared.event import Stream
    from testing.harness.daemons import Daemon

Figures = dict[str, float]
"""Samples by `name{label="value"}`."""


@dataclass(frozen=True)
class Look:
    """What both daemons said at monotonic second `at`; a daemon that does not answer says nothing."""

    at: float
    ingester: Figures
    writer: Figures
    states: Mapping[str, str] = field(default_factory=dict)

    def stream(self, name: str, stream: Stream) -> float:
        """Return a metric of one stream."""
        key = f'{name}{{stream="{stream}"}}'
        return self.ingester.get(key, self.writer.get(key, 0.0))

    def total(self, name: str) -> float:
        """Return a metric summed over its labels."""
        figures = (*self.ingester.items(), *self.writer.items())
        return sum(value for key, value in figures if key.partition("{")[0] == name)

    def newest(self) -> float:
        """Return the Unix seconds of the newest event committed; 0 before the first."""
        name = "archive_commit_newest_event_timestamp_seconds"
        return max((value for key, value in self.writer.items() if key.startswith(name)), default=0.0)

    def per_second(self, name: str, before: Look) -> float:
        """Return how fast a counter has grown since an earlier look."""
        return max(0.0, self.total(name) - before.total(name)) / max(self.at - before.at, 1e-9)


def look(ingester: Daemon, writer: Daemon, before: Look | None) -> Look:
    """Ask both daemons; one that has ended, or does not answer, keeps the figures it had before."""
    heard: dict[str, Figures] = {}
    states: dict[str, str] = {}
    for name, daemon in (("ingester", ingester), ("writer", writer)):
        figures = daemon.metrics() if daemon.is_alive else {}
        if not figures and before is not None:
            figures = before.ingester if name == "ingester" else before.writer
        heard[name] = figures
        states[name] = _state(daemon)
    return Look(time.monotonic(), heard["ingester"], heard["writer"], states)


def _state(daemon: Daemon) -> str:
    if daemon.process is None:
        return "not started"
    if not daemon.is_alive:
        return f"ended with exit code {daemon.process.returncode}"
    _, said = daemon.health()
    state = str(said.get("state", "starting"))
    reasons = [reason for reason in said.get("reasons", ()) if reason != state]
    return f"{state} ({'; '.join(reasons)})" if reasons else state
