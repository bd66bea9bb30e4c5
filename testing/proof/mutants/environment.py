"""The pipeline that every scenario runs: small chunks and pushes, an exact host, its truth and its audit."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis

from services.archive.paths import PREPARED
from services.shared.event import Stream
from testing.events import HostView, Traffic
from testing.harness.daemons import Daemon
from testing.harness.host import Host
from testing.harness.pipeline import Pipeline
from testing.harness.proxy import Proxy
from testing.harness.waiting import wait_for
from testing.proof.audit import Audit, audit
from testing.proof.audit.canonical import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENTS = 3_000
CHUNK = 100
"""Likes alone fill about twenty chunks, so that a claim can be half done."""
NEIGHBOURS = 70
"""Number of events that share a time_us: a push of 100 ends between such neighbours."""
END_SECONDS = 45.0
VIEW = HostView("v2", batch=NEIGHBOURS)
"""A host with sequence numbers resumes exactly; a rewind by time would hide some losses."""


class BrokenRunError(Exception):
    """The run did not finish, so that its archive proves nothing."""


@dataclass
class Environment:
    """A pipeline that is not started yet, and a proxy for each daemon."""

    pipeline: Pipeline
    rate: float
    ingesters: Proxy
    writers: Proxy

    @property
    def ingester(self) -> Daemon:
        """The ingester; it connects to Redis through `ingesters`."""
        return self.pipeline.ingester

    @property
    def writer(self) -> Daemon:
        """The writer; it connects to Redis through `writers`."""
        return self.pipeline.writer

    def prepare(self, **write: str) -> None:
        """Start host and Redis, and configure the daemons."""
        self.pipeline.write |= write
        for host in self.pipeline.hosts:
            host.start()
        self.pipeline.redis.start()
        self.pipeline.configure()

    def push_all(self) -> None:
        """Let the ingester push everything before anything is claimed; a writer sets the first cursor."""
        self.confirm()
        self.ingester.start()
        self.wait_read()

    def confirm(self) -> None:
        """Let a writer set the first cursor, or confirm the stored one; it commits no events."""
        self.write_once("gaps")

    def write_once(self, streams: str) -> None:
        """Run a writer of these streams for one round."""
        settings = dict(self.writer.settings)
        self.writer.settings["WRITER_STREAMS"] = streams
        self.writer.start("--once")
        self.expect(f"the writer of {streams}", self.writer.wait())
        self.writer.settings = settings

    def prepare_hours(self) -> None:
        """Let the compactor prepare every hour; hours of a claimed stream are left for the writer to swap."""
        settings = {name: self.writer.settings[name] for name in ("ARCHIVE_ROOT", "ARCHIVE_DISK_FREE_MIN_MB")}
        settings["REDIS_URL"] = self.pipeline.redis.url("tools")
        log = self.pipeline.folder / "compactor.log"
        compactor = Daemon("services.compactor.main", settings, log, tree=self.pipeline.tree)
        compactor.start("--once", "--close-all")
        compactor.wait()
        if not any((self.pipeline.root / PREPARED / Stream.LIKES).glob("*.json")):
            raise BrokenRunError(f"no hour of likes was prepared; see {log}")

    def wait_pushed(self, events: int) -> None:
        """Wait until the cursor lies behind this number of events."""
        wait_for(lambda: self._reached() >= events, END_SECONDS, f"a cursor behind {events} events")

    def wait_read(self) -> None:
        """Wait until the cursor lies behind the last event."""
        self.wait_pushed(EVENTS)

    def finish(self) -> Audit:
        """Wait until everything is committed, stop both daemons and audit. Raises BrokenRunError."""
        try:
            self.wait_read()
            self.pipeline.wait_committed(END_SECONDS)
        except TimeoutError as error:
            raise BrokenRunError(f"{error}; see {self.pipeline.folder}") from error
        self.expect("the ingester", self.ingester.stop())
        self.expect("the writer", self.writer.stop())
        return audit(self.pipeline.root, self._truth())

    def expect(self, process: str, code: int) -> None:
        """Raise BrokenRunError for an exit code other than 0."""
        if code != 0:
            raise BrokenRunError(f"{process} ended with exit code {code}; see {self.pipeline.folder}")

    def _reached(self) -> int:
        """Return the number of events before the cursor: this host's sequence numbers begin with 1."""
        try:
            with contextlib.closing(self.pipeline.tools()) as tools:
                stored = tools.get("archive:cursor")
        except redis.RedisError:
            return -1
        return int(json.loads(stored).get("seq", 0)) if isinstance(stored, bytes) else -1

    def _truth(self) -> Iterator[tuple[str, bytes]]:
        first_us = self.pipeline.hosts[0].first_us
        for frame in Traffic(1, first_us, self.rate, EVENTS).truth(VIEW):
            yield stream_of(frame), frame


@contextlib.contextmanager
def environment(
    tree: Path, folder: Path, *, seconds: float = 1.0, backlog: float | None = None
) -> Iterator[Environment]:
    """Make an environment for the code in `tree`; events take `seconds`, by default all in the past."""
    rate = EVENTS / seconds
    options = {
        "kind": "v2",
        "rate": rate,
        "events": EVENTS,
        "batch": NEIGHBOURS,
        "backlog": seconds + 1.0 if backlog is None else backlog,
    }
    pipeline = Pipeline(
        folder,
        [Host({name: str(value) for name, value in options.items()})],
        ingest={"INGEST_PUSH_EVENTS": "100"},
        write={"WRITER_CHUNK": str(CHUNK), "WRITER_INTERVAL": "1"},
        tree=tree,
    )
    server = pipeline.redis
    with Proxy(server.port) as ingesters, Proxy(server.port) as writers:
        pipeline.ingest["REDIS_URL"] = ingesters.redirect(server.url("ingester"))
        pipeline.write["REDIS_URL"] = writers.redirect(server.url("writer"))
        try:
            yield Environment(pipeline, rate, ingesters, writers)
        finally:
            pipeline.end()
