"""What a person sees while the pipeline runs: a live table on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from services.shared.event import Stream

if TYPE_CHECKING:
    from types import TracebackType

    from testing.demo.look import Look

LINE_SECONDS = 5.0
RATE_SECONDS = 3.0
OLD_SECONDS = 86_400.0
"""Events older than this are a replay: their lag means nothing."""
RATES = {
    "received": "archive_receive_frames_total",
    "pushed": "archive_buffer_pushed_total",
    "committed": "archive_commit_rows_total",
}


class View:
    """Shows looks; `console` decides whether that is a live table."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._looks: deque[Look] = deque()
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
        """Say that something happened; it stays to be read."""
        line = f"{time.monotonic() - self._began:5.1f} s  {what}"
        self._notes.append(line)
        if self._live is None:
            self._print(line)

    def show(self, now: Look, phase: str) -> None:
        """Show a look."""
        self._looks.append(now)
        while len(self._looks) > 1 and now.at - self._looks[0].at > RATE_SECONDS:
            self._looks.popleft()
        if self._live is not None:
            self._live.update(Group(self._table(now, phase), *map(Text, self._notes)), refresh=True)
        elif now.at - self._line_at >= LINE_SECONDS:
            self._line_at = now.at
            self._print(f"{now.at - self._began:5.1f} s  {phase}: {self._summary(now)}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)

    def _rates(self, now: Look) -> str:
        before = self._looks[0]
        return ", ".join(f"{what} {now.per_second(name, before):,.0f}/s" for what, name in RATES.items())

    def _summary(self, now: Look) -> str:
        return (
            f"{self._rates(now)}; waiting {now.total('archive_buffer_depth_events'):,.0f}, "
            f"committed {now.total('archive_commit_rows_total'):,.0f} in "
            f"{now.total('archive_commit_parts_total'):,.0f} parts, saved {_saved(now)}; {_lag(now)}; "
            f"{_trouble(now)}; ingester {now.states['ingester']}, writer {now.states['writer']}"
        )

    def _table(self, now: Look, phase: str) -> Table:
        title = f"{phase}  ({now.at - self._began:.0f} s)"
        table = Table(
            title=title, caption=f"{self._rates(now)}\n{_lag(now)}; {_trouble(now)}\n{_states(now)}"
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


def _saved(now: Look) -> str:
    raw = now.total("archive_commit_raw_bytes_total")
    stored = now.total("archive_commit_stored_bytes_total")
    return f"{(raw - stored) / 1e6:,.1f} MB ({1 - stored / raw:.0%})" if raw else "nothing yet"


def _lag(now: Look) -> str:
    received = now.total("archive_receive_lag_seconds")
    committed = time.time() - now.newest()
    if not now.newest() or received > OLD_SECONDS:
        return "lag -"
    return f"lag {received:,.1f} s received, {committed:,.1f} s committed"


def _trouble(now: Look) -> str:
    return (
        f"{now.total('archive_receive_reconnects_total'):,.0f} reconnects, "
        f"{now.total('archive_validate_duplicates_total'):,.0f} repeats dropped, "
        f"{now.total('archive_validate_rejects_total'):,.0f} rejects, "
        f"{now.total('archive_receive_gaps_total'):,.0f} gaps"
    )


def _states(now: Look) -> str:
    return "; ".join(f"{daemon} {state}" for daemon, state in now.states.items())
