"""What is loaded: the whole pipeline, as processes of this machine or as containers, seen the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

from testing.harness.host import Host
from testing.harness.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from testing.harness.daemons import Daemon

BASE_RATE = 1.0
"""Events a second that the host sends while nobody drives it."""
INTERVAL_SECONDS = 10
STOP_SECONDS = 120.0


class Target(Protocol):
    """A pipeline that reads from one fake host. As a context it is started, and ended whatever happens."""

    name: str
    folder: Path
    ingester: Daemon
    """To be asked for its figures; not to be started or stopped through this."""
    writer: Daemon

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def control(self) -> str:
        """Address of the host's control socket; empty where the host is not ours."""

    @property
    def redis_url(self) -> str:
        """Redis, for a user that may look and push."""

    @property
    def fresh(self) -> Path | None:
        """The archive while it is written, where this process can read it."""

    @property
    def settings(self) -> dict[str, str]:
        """What the pipeline was set to, for the report."""

    def pids(self) -> dict[str, int]:
        """Return the running processes by name: host, ingester, redis, writer; children belong to theirs."""

    def stop(self) -> dict[str, int]:
        """Ask the daemons to end; returns their exit codes."""

    def archive(self) -> Path:
        """Return the archive, to be read after `stop`."""


class Processes:
    """The processes that `make demo` runs too."""

    name = "processes"

    def __init__(
        self,
        folder: Path,
        seed: int = 1,
        *,
        hosts: list[Host] | None = None,
        start_us: int | None = None,
        **settings: dict[str, str],
    ) -> None:
        """Describe the pipeline; `hosts` instead of one whose rate can be driven, [] for the public ones."""
        self.folder = folder
        if hosts is None:
            hosts = [Host({"rate": str(BASE_RATE), "seed": str(seed)})]
        interval = {"WRITER_INTERVAL": str(INTERVAL_SECONDS), "WRITER_MAX_AGE": str(INTERVAL_SECONDS)}
        write = {**interval, **settings.pop("write", {})}
        self.pipeline = Pipeline(folder, hosts, write=write, start_us=start_us, **settings)  # type: ignore[arg-type]
        self.ingester, self.writer = self.pipeline.ingester, self.pipeline.writer

    def __enter__(self) -> Self:
        try:
            self.pipeline.start()
            self.ingester.wait_healthy()
            self.writer.wait_healthy()
        except BaseException:
            self.pipeline.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipeline.end()

    @property
    def control(self) -> str:
        """Address of the host's control socket; empty where the host is not ours."""
        return f"{self.pipeline.hosts[0].address}/control" if self.pipeline.hosts else ""

    @property
    def redis_url(self) -> str:
        """Redis, for a user that may look and push."""
        return self.pipeline.redis.url("tools")

    @property
    def fresh(self) -> Path | None:
        """The archive while it is written."""
        return self.pipeline.root

    @property
    def settings(self) -> dict[str, str]:
        """What the daemons were set to, without addresses, and what Redis may hold."""
        both = self.ingester.settings | self.writer.settings
        plain = {name: value for name, value in both.items() if name not in ("REDIS_URL", "ARCHIVE_ROOT")}
        return {**plain, "maxmemory": self.pipeline.redis.maxmemory}

    def pids(self) -> dict[str, int]:
        """Return the running processes by name."""
        pipeline = self.pipeline
        known = {
            "host": pipeline.hosts[0].process if pipeline.hosts else None,
            "ingester": self.ingester.process,
            "redis": pipeline.redis.process,
            "writer": self.writer.process,
        }
        return {
            name: process.pid
            for name, process in known.items()
            if process is not None and process.poll() is None
        }

    def stop(self) -> dict[str, int]:
        """Ask the daemons to end; returns their exit codes."""
        daemons = {"ingester": self.ingester, "writer": self.writer}
        codes = {}
        for name, daemon in daemons.items():
            daemon.wait_listening()
            daemon.signal(15)
            codes[name] = daemon.wait(STOP_SECONDS)
        return codes

    def archive(self) -> Path:
        """Return the archive."""
        return self.pipeline.root
