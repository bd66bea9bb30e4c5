"""The demo run: traffic with faults, everything pushed and committed, both daemons stopped, the proof."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import redis

from testing.demo.proof import Proof, prove
from testing.demo.view import Sample, View, take_sample
from testing.harness.host import Host
from testing.harness.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from testing.demo.source import ScheduledFault, Source
    from testing.harness.daemons import Daemon


PUSH_GRACE_SECONDS = 60.0
"""Time after the end of the traffic in which everything must be pushed."""
COMMIT_SECONDS = 60.0
ROUNDS = 10
LONGEST_INTERVAL_SECONDS = 5.0
SAMPLE_SECONDS = 0.4
LAST_LINES = 5


def make_pipeline(source: Source, folder: Path, archive: Path | None, seconds: float) -> Pipeline:
    """Return the pipeline of a demo, not started."""
    interval = min(LONGEST_INTERVAL_SECONDS, max(1.0, seconds / ROUNDS))
    return Pipeline(
        folder,
        [Host(source.host_options())],
        write={"WRITER_INTERVAL": f"{interval:g}", "WRITER_MAX_AGE": f"{interval:g}"},
        start_us=source.start_us(),
        archive=archive,
    )


def play(pipeline: Pipeline, source: Source, console: Console, seconds: float) -> Proof:
    """Run a demo to its end; raises DemoError, or KeyboardInterrupt with every process still running."""
    with View(console) as view:
        running = RunningPipeline(pipeline, view)
        view.note("starting the host, Redis, the writer and the ingester")
        pipeline.start()
        faults = FaultSchedule(running, source)
        running.wait_until(
            lambda: running.pushed() >= source.events and running.rejected() >= source.rejects,
            time.monotonic() + seconds + PUSH_GRACE_SECONDS,
            "receive, validate, buffer | claim, encode, commit",
            faults.inject_due,
        )
        view.note("the host has sent its last event; every event is pushed")
        running.wait_until(
            running.is_committed, time.monotonic() + COMMIT_SECONDS, "waiting for the last commit"
        )
        view.note(
            f"everything is committed; {running.reconnects()} reconnects, "
            f"{running.repeats():,} repeated events dropped, {faults.withheld():,} withheld events read again"
        )
        running.stop(pipeline.ingester, "ingester")
        running.stop(pipeline.writer, "writer")
    console.print("Checking: every event of the source is compared with every row of the files ...")
    return prove(pipeline.root, source.truth(pipeline.hosts[0].first_us))


class FaultSchedule:
    """Injects the source's faults into the host when they are due."""

    def __init__(self, running: RunningPipeline, source: Source) -> None:
        self._running = running
        self._events = source.events
        self._faults: list[ScheduledFault] = source.faults()

    def inject_due(self) -> None:
        """Inject the next fault, if it is due."""
        if not self._faults or self._running.pushed() < self._faults[0].after * self._events:
            return
        fault = self._faults.pop(0)
        for command, arguments in fault.commands:
            self._running.pipeline.hosts[0].send(command, **arguments)
        self._running.view.note(fault.description)

    def withheld(self) -> int:
        """Return how many events a cutover left out."""
        fired: dict[str, int] = self._running.pipeline.hosts[0].status()["fired"]
        return fired.get("cutover_dropped", 0)


class DemoError(Exception):
    """The demo failed; the message names the cause and the logs."""


class RunningPipeline:
    """A pipeline, shown in a view while it runs."""

    def __init__(self, pipeline: Pipeline, view: View) -> None:
        self.pipeline = pipeline
        self.view = view
        self._last: Sample | None = None

    def wait_until(
        self,
        condition: Callable[[], bool],
        deadline: float,
        phase: str,
        between: Callable[[], None] | None = None,
    ) -> None:
        """Show the pipeline until `condition` holds; raises DemoError at the monotonic `deadline`.

        Also raises DemoError if a daemon ends by itself. `between` is called after each sample.
        """
        while True:
            self._last = take_sample(self.pipeline.ingester, self.pipeline.writer, self._last)
            self.view.show(self._last, phase)
            if condition():
                return
            self._require_alive()
            if time.monotonic() > deadline:
                raise DemoError(f"not done in time: {phase}\n{self._last_log_lines()}")
            if between is not None:
                between()
            # The refresh rate of the view; the condition is checked at each sample.
            threading.Event().wait(SAMPLE_SECONDS)

    def stop(self, daemon: Daemon, name: str) -> None:
        """Stop a daemon with SIGTERM; raises DemoError if its exit code is not 0."""
        code = daemon.stop()
        self.view.note(f"SIGTERM: the {name} ended with exit code {code}")
        if code != 0:
            raise DemoError(f"the {name} ended with exit code {code}\n{self._last_log_lines()}")

    def pushed(self) -> int:
        """Return the number of distinct events pushed; -1 while Redis does not answer."""
        try:
            return self.pipeline.distinct()
        except redis.RedisError:
            return -1

    def rejected(self) -> int:
        """Return the number of rejects pushed; -1 while Redis does not answer."""
        try:
            return self.pipeline.pushed().get("rejects:pushed", 0)
        except redis.RedisError:
            return -1

    def is_committed(self) -> bool:
        """Whether everything in Redis is committed."""
        try:
            return self.pipeline.waiting() == 0
        except redis.RedisError:
            return False

    def reconnects(self) -> int:
        """Return the number of reconnects so far."""
        return 0 if self._last is None else int(self._last.total("archive_receive_reconnects_total"))

    def repeats(self) -> int:
        """Return the number of repeats dropped so far."""
        return 0 if self._last is None else int(self._last.total("archive_validate_duplicates_total"))

    def _require_alive(self) -> None:
        for name, daemon in (("ingester", self.pipeline.ingester), ("writer", self.pipeline.writer)):
            if not daemon.is_alive:
                raise DemoError(f"the {name} ended by itself\n{self._last_log_lines()}")

    def _last_log_lines(self) -> str:
        shown = []
        for daemon in (self.pipeline.ingester, self.pipeline.writer):
            lines = daemon.log.read_text(errors="replace").splitlines() if daemon.log.exists() else []
            shown += [f"{daemon.log}:", *(f"  {line}" for line in lines[-LAST_LINES:])]
        return "\n".join(shown)
