"""The display of a running pipeline: a live table on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from testing.harness.daemons import Daemon


LINE_SECONDS = 5.0
RATE_SECONDS = 3.0
OLD_SECONDS = 86_400.0
"""Events older than this are replayed: their lag is not shown."""
RATES = {
    "received": "archive_receive_frames_total",
    "pushed": "archive_buffer_pushed_total",
    "committed": "archive_commit_rows_total",
}


class View:
    """Shows samples: as a live table on a terminal, otherwise as a line every LINE_SECONDS."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._samples: deque[Sample] = deque()
        self._notes: deque[str] = deque(maxlen=10)
        self._line_at = float("-inf")
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def note(self, what: str) -> None:
        """Print that something happened, with the time; on a terminal the last 10 notes stay visible."""
        line = f"{time.monotonic() - self._began:5.1f} s  {what}"
        self._notes.append(line)
        if self._live is None:
            self._print(line)

    def show(self, now: Sample, phase: str) -> None:
        """Show a sample."""
        self._samples.append(now)
        while len(self._samples) > 1 and now.at - self._samples[0].at > RATE_SECONDS:
            self._samples.popleft()
        if self._live is not None:
            self._live.update(Group(self._table(now, phase), *map(Text, self._notes)), refresh=True)
        elif now.at - self._line_at >= LINE_SECONDS:
            self._line_at = now.at
            self._print(f"{now.at - self._began:5.1f} s  {phase}: {self._summary(now)}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    def _rates(self, now: Sample) -> str:
        before = self._samples[0]
        return ", ".join(f"{what} {now.per_second(name, before):,.0f}/s" for what, name in RATES.items())

    def _summary(self, now: Sample) -> str:
        return (
            f"{self._rates(now)}; waiting {now.total('archive_buffer_depth_events'):,.0f}, "
            f"committed {now.total('archive_commit_rows_total'):,.0f} in "
            f"{now.total('archive_commit_parts_total'):,.0f} parts, saved {_saved(now)}; {_lag(now)}; "
            f"{_incidents(now)}; ingester {now.states['ingester']}, writer {now.states['writer']}"
        )

    def _table(self, now: Sample, phase: str) -> Table:
        title = f"{phase}  ({now.at - self._began:.0f} s)"
        table = Table(
            title=title, caption=f"{self._rates(now)}\n{_lag(now)}; {_incidents(now)}\n{_states(now)}"
        )
        table.add_column("stream")
        for name in ("pushed", "waiting", "committed", "parts", "JSON kB", "Parquet kB", "saved"):
            table.add_column(name, justify="right")
        for stream in Stream:
            raw = now.stream("archive_commit_raw_bytes_total", stream)
            stored = now.stream("archive_commit_stored_bytes_total", stream)
            table.add_row(
                stream.value,
                f"{now.stream('archive_buffer_pushed_total', stream):,.0f}",
                f"{now.stream('archive_buffer_depth_events', stream):,.0f}",
                f"{now.stream('archive_commit_rows_total', stream):,.0f}",
                f"{now.stream('archive_commit_parts_total', stream):,.0f}",
                f"{raw / 1e3:,.0f}",
                f"{stored / 1e3:,.0f}",
                f"{1 - stored / raw:.0%}" if raw else "",
            )
        return table


def _saved(now: Sample) -> str:
    raw = now.total("archive_commit_raw_bytes_total")
    stored = now.total("archive_commit_stored_bytes_total")
    return f"{(raw - stored) / 1e6:,.1f} MB ({1 - stored / raw:.0%})" if raw else "nothing yet"


def _lag(now: Sample) -> str:
    received = now.total("archive_receive_lag_seconds")
    committed = time.time() - now.newest()
    # NaN before the first event: every comparison with it is false.
    if not (now.newest() > 0 and received <= OLD_SECONDS):
        return "lag -"
    return f"lag {received:,.1f} s received, {committed:,.1f} s committed"


def _incidents(now: Sample) -> str:
    return (
        f"{now.total('archive_receive_reconnects_total'):,.0f} reconnects, "
        f"{now.total('archive_validate_duplicates_total'):,.0f} repeats dropped, "
        f"{now.total('archive_validate_rejects_total'):,.0f} rejects, "
        f"{now.total('archive_receive_gaps_total'):,.0f} gaps"
    )


def _states(now: Sample) -> str:
    return "; ".join(f"{daemon} {state}" for daemon, state in now.states.items())


Figures = dict[str, float]
"""Samples by `name{label="value"}`."""


@dataclass(frozen=True)
class Sample:
    """The metrics and states of both daemons at monotonic second `at`."""

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
        """Return the time of the newest committed event in Unix seconds; 0 before the first."""
        name = "archive_commit_newest_event_timestamp_seconds"
        return max((value for key, value in self.writer.items() if key.startswith(name)), default=0.0)

    def per_second(self, name: str, before: Sample) -> float:
        """Return a counter's growth per second since an earlier sample."""
        return max(0.0, self.total(name) - before.total(name)) / max(self.at - before.at, 1e-9)


def take_sample(ingester: Daemon, writer: Daemon, before: Sample | None) -> Sample:
    """Query both daemons; one that has ended or does not answer keeps its previous figures."""
    metrics: dict[str, Figures] = {}
    states: dict[str, str] = {}
    for name, daemon in (("ingester", ingester), ("writer", writer)):
        figures = daemon.metrics() if daemon.is_alive else {}
        if not figures and before is not None:
            figures = before.ingester if name == "ingester" else before.writer
        metrics[name] = figures
        states[name] = _state(daemon)
    return Sample(time.monotonic(), metrics["ingester"], metrics["writer"], states)


def _state(daemon: Daemon) -> str:
    if daemon.process is None:
        return "not started"
    if not daemon.is_alive:
        return f"ended with exit code {daemon.process.returncode}"
    _, body = daemon.health()
    state = str(body.get("state", "starting"))
    reasons = [reason for reason in body.get("reasons", ()) if reason != state]
    return f"{state} ({'; '.join(reasons)})" if reasons else state
