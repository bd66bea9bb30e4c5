"""The pipeline as real processes on this machine: hosts, Redis, ingester, writer and compactor; the audit."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import redis

from testing.harness.daemons import REPOSITORY, Daemon
from testing.harness.redis import RedisServer, pushed, waiting
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from testing.harness.host import Host

ONCE_SECONDS = 60.0


@dataclass
class Pipeline:
    """Ingester, writer, Redis and the hosts; all files are in `folder`.

    The compactor is configured too, but not started with the others.
    """

    folder: Path
    hosts: list[Host]
    ingest: dict[str, str] = field(default_factory=dict)
    """Further INGEST_* settings."""
    write: dict[str, str] = field(default_factory=dict)
    """Further WRITER_* settings."""
    compact: dict[str, str] = field(default_factory=dict)
    """Further COMPACT_* settings."""
    common: dict[str, str] = field(default_factory=dict)
    """Further settings of all daemons."""
    tree: Path = REPOSITORY
    start_us: int | None = None
    """Start of the archive; default: just before the first host's first event."""
    archive: Path | None = None
    """Root of the archive; default: in `folder`."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.redis = RedisServer(self.folder / "redis")
        self.ingester = Daemon("services.jetstream.main", {}, self.folder / "ingester.log", tree=self.tree)
        self.writer = Daemon("services.data_writer.main", {}, self.folder / "writer.log", tree=self.tree)
        self.compactor = Daemon("services.compactor.main", {}, self.folder / "compactor.log", tree=self.tree)

    @property
    def root(self) -> Path:
        """Root of the archive."""
        return self.archive or self.folder / "archive"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self) -> None:
        """Start everything, hosts first."""
        for host in self.hosts:
            if host.process is None:
                host.start()
        self.redis.start()
        self.configure()
        self.writer.start()
        self.ingester.start()

    def configure(self) -> None:
        """Set the settings that the daemons are started with."""
        both = {"ARCHIVE_ROOT": str(self.root), "ARCHIVE_DISK_FREE_MIN_MB": "10", **self.common}
        start_us = self.start_us
        if start_us is None and self.hosts:
            start_us = self.hosts[0].first_us - 1_000_000
        self.writer.settings = {
            **both,
            "REDIS_URL": self.redis.url("writer"),
            "WRITER_INTERVAL": "2",
            **({} if start_us is None else {"ARCHIVE_START": str(start_us)}),
            **self.write,
        }
        self.ingester.settings = {
            **both,
            "REDIS_URL": self.redis.url("ingester"),
            # Without hosts: the public ones, which are the ingester's default.
            **({"INGEST_HOSTS": ",".join(host.address for host in self.hosts)} if self.hosts else {}),
            **self.ingest,
        }

        self.compactor.settings = {
            **both,
            "REDIS_URL": self.redis.url("writer"),
            "COMPACT_EVERY": "0.5",
            "COMPACT_JETSTREAM_URL": f"http://127.0.0.1:{self.ingester.port}/healthz",
            **self.compact,
        }

    def write_once(self) -> None:
        """Run a writer that commits everything in Redis and ends; the first one starts the archive."""
        self.writer.start("--once")
        assert self.writer.wait(ONCE_SECONDS) == 0, f"see {self.writer.log}"

    def end(self) -> None:
        """Kill every process that still runs; the hosts last."""
        for daemon in (self.ingester, self.writer, self.compactor):
            if daemon.is_alive:
                daemon.kill()
        self.redis.kill()
        for host in self.hosts:
            host.stop()

    def tools(self) -> redis.Redis:
        """Return a Redis client with a user that none of the daemons has."""
        return redis.Redis.from_url(self.redis.url("tools"))

    def waiting(self) -> int:
        """Return the number of elements in Redis that are not committed; raises redis.RedisError."""
        with contextlib.closing(self.tools()) as tools:
            return waiting(tools)

    def pushed(self) -> dict[str, int]:
        """Return the ingester's durable counts by `<stream>:<count>`."""
        with contextlib.closing(self.tools()) as tools:
            counts = tools.hgetall("archive:pushed")
        return {name.decode(): int(count) for name, count in counts.items() if isinstance(name, bytes)}

    def distinct(self) -> int:
        """Return the number of Jetstream events pushed in this epoch, without repeats."""
        with contextlib.closing(self.tools()) as tools:
            return pushed(tools)

    def wait_pushed(self, events: int, seconds: float) -> None:
        """Wait until this many distinct events are pushed."""
        wait_for(
            lambda: self._quietly_distinct() >= events,
            seconds,
            lambda: f"{events:,} events pushed; so far {self._quietly_distinct():,}",
        )

    def wait_committed(self, seconds: float) -> None:
        """Wait until everything in Redis is committed."""
        wait_for(lambda: self._quietly_waiting() == 0, seconds, "everything in Redis to be committed")

    def assert_complete(self, events: int, seconds: float) -> None:
        """Wait until all events are committed, stop the daemons, and audit; no staged file may be left."""
        self.wait_pushed(events, seconds)
        self.wait_committed(seconds)
        self.writer.wait_healthy()
        for daemon in (self.ingester, self.writer):
            assert daemon.stop() == 0, f"see {daemon.log}"
        result = audit(self.root, truth_of(*self.hosts))
        assert result.passed, str(result)
        assert sum(one.truth for one in result.streams.values()) == events
        assert result.uncompared["gaps"] == 1, "only the archive's start"
        assert self.staged() == []

    def staged(self) -> list[Path]:
        """Return the files that the writer began and did not commit."""
        return [path for path in (self.root / ".state/staging").rglob("*") if path.is_file()]

    def _quietly_distinct(self) -> int:
        try:
            return self.distinct()
        except redis.RedisError:
            return -1

    def _quietly_waiting(self) -> int:
        try:
            return self.waiting()
        except redis.RedisError:
            return -1
