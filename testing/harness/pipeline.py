"""The whole pipeline as real processes on this machine: hosts, Redis, writer, ingester, and the audit."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import redis

from services.shared.event import Stream
from testing.harness.daemons import REPOSITORY, Daemon
from testing.harness.redis import RedisServer
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from testing.harness.host import Host

JETSTREAM = [stream for stream in Stream if stream not in (Stream.REJECTS, Stream.GAPS)]
ONCE_SECONDS = 60.0


@dataclass
class Pipeline:
    """Both daemons, a Redis and the hosts they read from; everything lies in `folder`.

    The compactor is there too, and not started with the others.
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
    """Further settings of all."""
    tree: Path = REPOSITORY
    start_us: int | None = None
    """Where the archive begins; default: with the first host's first event."""
    archive: Path | None = None
    """Where the archive lies, if not in `folder`."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.redis = RedisServer(self.folder / "redis")
        self.ingester = Daemon("services.jetstream.main", {}, self.folder / "ingester.log", tree=self.tree)
        self.writer = Daemon("services.data_writer.main", {}, self.folder / "writer.log", tree=self.tree)
        self.compactor = Daemon("services.compactor.main", {}, self.folder / "compactor.log", tree=self.tree)

    @property
    def root(self) -> Path:
        """The archive."""
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
        """Write the settings that the daemons will be started with."""
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
            # Without a host of ours: the public ones, which the ingester knows by itself.
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
        """Let a writer commit all that is waiting, and end; the first one begins the archive."""
        self.writer.start("--once")
        assert self.writer.wait(ONCE_SECONDS) == 0, f"see {self.writer.log}"

    def end(self) -> None:
        """Kill what still runs; the hosts last."""
        for daemon in (self.ingester, self.writer, self.compactor):
            if daemon.is_alive:
                daemon.kill()
        self.redis.kill()
        for host in self.hosts:
            host.stop()

    def tools(self) -> redis.Redis:
        """Return a client for looking into Redis; never one of the daemons' users."""
        return redis.Redis.from_url(self.redis.url("tools"))

    def waiting(self) -> int:
        """Return the elements in Redis that are not yet committed; raises when Redis is away."""
        with contextlib.closing(self.tools()) as tools:
            keys = [*tools.scan_iter("archive:buffer:*"), *tools.scan_iter("archive:claim:*")]
            return sum(int(tools.llen(key)) for key in keys)

    def pushed(self) -> dict[str, int]:
        """Return the ingester's durable counts: `<stream>:<count>`."""
        with contextlib.closing(self.tools()) as tools:
            counts = tools.hgetall("archive:pushed")
        return {name.decode(): int(count) for name, count in counts.items() if isinstance(name, bytes)}

    def distinct(self) -> int:
        """Return the Jetstream events pushed so far in this epoch, repeats left out."""
        counts = self.pushed()
        return sum(counts.get(f"{stream}:pushed", 0) for stream in JETSTREAM)

    def wait_pushed(self, events: int, seconds: float) -> None:
        """Wait until so many distinct events were pushed."""
        wait_for(
            lambda: self._quietly_distinct() >= events,
            seconds,
            lambda: f"{events:,} events pushed; there are {self._quietly_distinct():,}",
        )

    def wait_committed(self, seconds: float) -> None:
        """Wait until Redis holds nothing that is not committed."""
        wait_for(lambda: self._quietly_waiting() == 0, seconds, "everything in Redis committed")

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
