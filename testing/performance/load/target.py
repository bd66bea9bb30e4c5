"""What is loaded: the whole pipeline, as processes of this machine or as containers."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from testing.harness.daemons import Daemon
from testing.harness.host import Host
from testing.harness.pipeline import Pipeline
from testing.harness.redis import free_port
from testing.harness.stack import BASE, PIPELINE, Stack

if TYPE_CHECKING:
    from types import TracebackType


BASE_RATE = 1.0
"""Events per second that the host sends while no user drives it."""
INTERVAL_SECONDS = 10
STOP_SECONDS = 120.0
LOAD = "testing/performance/load/docker-compose.load.yml"
BUILD_SECONDS = 900.0
SERVICES = {"host": "fake_jetstream", "ingester": "jetstream", "redis": "redis", "writer": "data_writer"}


class Target(Protocol):
    """A pipeline that reads from one fake host; a context manager that starts and ends it."""

    name: str
    folder: Path
    ingester: Daemon
    """To query its metrics; not to start or stop it."""
    writer: Daemon

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def control(self) -> str:
        """Address of the host's control socket; empty for public hosts."""

    @property
    def redis_url(self) -> str:
        """URL of Redis for a user that can read and push."""

    @property
    def readable_archive(self) -> Path | None:
        """Root of the archive while it is written, if this process can read it."""

    @property
    def settings(self) -> dict[str, str]:
        """Settings of the pipeline, for the report."""

    def pids(self) -> dict[str, int]:
        """Return the running processes by name: host, ingester, redis, writer."""

    def stop(self) -> dict[str, int]:
        """Stop the daemons; returns their exit codes."""

    def archive(self) -> Path:
        """Return the root of the archive, to be read after `stop`."""


class Processes:
    """The pipeline as processes of this machine, like `make demo`."""

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
        """Describe the pipeline; `hosts` replaces the host that can be driven, [] means the public hosts."""
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
        """Address of the host's control socket; empty for public hosts."""
        return f"{self.pipeline.hosts[0].address}/control" if self.pipeline.hosts else ""

    @property
    def redis_url(self) -> str:
        """URL of Redis for a user that can read and push."""
        return self.pipeline.redis.url("tools")

    @property
    def readable_archive(self) -> Path | None:
        """Root of the archive while it is written."""
        return self.pipeline.root

    @property
    def settings(self) -> dict[str, str]:
        """Settings of the daemons without addresses, and Redis' maxmemory."""
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
        """Stop the daemons; returns their exit codes."""
        daemons = {"ingester": self.ingester, "writer": self.writer}
        codes = {}
        for name, daemon in daemons.items():
            daemon.wait_listening()
            daemon.signal(15)
            codes[name] = daemon.wait(STOP_SECONDS)
        return codes

    def archive(self) -> Path:
        """Return the root of the archive."""
        return self.pipeline.root


class Containers:
    """The pipeline as a Compose project, removed at the end with its volumes; its images are built first."""

    name = "compose"

    def __init__(self, folder: Path, seed: int = 1, *, tag: str = "load", build: bool = True) -> None:
        self.folder = folder
        ports = {"LOAD_INGESTER_PORT": str(free_port()), "LOAD_WRITER_PORT": str(free_port())}
        own = {
            "IMAGE_TAG": tag,
            "DEMO_RATE": str(BASE_RATE),
            "DEMO_SEED": str(seed),
            "WRITER_INTERVAL": str(INTERVAL_SECONDS),
        }
        name = f"bluesky-archive-load-{secrets.token_hex(4)}"
        self.stack = Stack(name, folder / "stack", {**ports, **own}, files=(BASE, LOAD), profiles=("demo",))
        self._build = build
        log = folder / "unused.log"
        self.ingester = Daemon("services.jetstream.main", {}, log, port=int(ports["LOAD_INGESTER_PORT"]))
        self.writer = Daemon("services.data_writer.main", {}, log, port=int(ports["LOAD_WRITER_PORT"]))

    def __enter__(self) -> Self:
        try:
            if self._build:
                self.stack.compose("build", *PIPELINE, seconds=BUILD_SECONDS)
                self.stack.up(*PIPELINE)
        except BaseException:
            self.stack.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.end()

    @property
    def control(self) -> str:
        """Address of the host's control socket."""
        return f"ws://127.0.0.1:{self.stack.settings['FAKE_JETSTREAM_PORT']}/control"

    @property
    def redis_url(self) -> str:
        """URL of Redis for a user that can read and push."""
        return self.stack.redis_url("tools")

    @property
    def readable_archive(self) -> Path | None:
        """The archive's volume, if it can be read: as root, on the engine's machine."""
        mounts = self.stack.inspect("data_writer")["Mounts"]
        volume = next(Path(mount["Source"]) for mount in mounts if mount["Destination"] == "/archive")
        try:
            return volume if any(volume.iterdir()) else None
        except OSError:
            return None

    @property
    def settings(self) -> dict[str, str]:
        """Settings that differ from the stack's defaults, without ports."""
        names = ("IMAGE_TAG", "DEMO_SEED", "WRITER_INTERVAL")
        return {name: self.stack.settings[name] for name in names}

    def pids(self) -> dict[str, int]:
        """Return the first process of each container; its children belong to it."""
        found = {name: int(self.stack.inspect(service)["State"]["Pid"]) for name, service in SERVICES.items()}
        return {name: pid for name, pid in found.items() if pid}

    def stop(self) -> dict[str, int]:
        """Stop the daemons; returns their exit codes."""
        self.stack.compose("stop", "--timeout", "60", "jetstream", "data_writer", seconds=150)
        ended = self.stack.exit_codes("jetstream", "data_writer")
        return {name: ended[service] for name, service in SERVICES.items() if service in ended}

    def archive(self) -> Path:
        """Copy the archive out of its volume; returns the copy."""
        return self.stack.archive()
