"""The same pipeline as containers: the Compose stack with its demo host, in a project of its own."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Self

from testing.harness.daemons import Daemon
from testing.harness.redis import free_port
from testing.harness.stack import BASE, PIPELINE, Stack
from testing.performance.load.target import BASE_RATE, INTERVAL_SECONDS

if TYPE_CHECKING:
    from types import TracebackType

LOAD = "testing/performance/load/docker-compose.load.yml"
BUILD_SECONDS = 900.0
SERVICES = {"host": "fake_jetstream", "ingester": "jetstream", "redis": "redis", "writer": "data_writer"}


class Containers:
    """A project that is removed at the end, volumes included; its images are built first."""

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
        """Redis, for a user that may look and push."""
        return self.stack.redis_url("tools")

    @property
    def fresh(self) -> Path | None:
        """The archive's volume, where we may look into it: as root, on the engine's own machine."""
        mounts = self.stack.inspect("data_writer")["Mounts"]
        place = next(Path(mount["Source"]) for mount in mounts if mount["Destination"] == "/archive")
        try:
            return place if any(place.iterdir()) else None
        except OSError:
            return None

    @property
    def settings(self) -> dict[str, str]:
        """What differs from the stack's defaults, ports left out."""
        names = ("IMAGE_TAG", "DEMO_SEED", "WRITER_INTERVAL")
        return {name: self.stack.settings[name] for name in names}

    def pids(self) -> dict[str, int]:
        """Return the first process of each container; its children belong to it."""
        found = {name: int(self.stack.inspect(service)["State"]["Pid"]) for name, service in SERVICES.items()}
        return {name: pid for name, pid in found.items() if pid}

    def stop(self) -> dict[str, int]:
        """Ask all to end, but the one the archive is copied from last; returns their exit codes."""
        self.stack.compose("stop", "--timeout", "60", "jetstream", "data_writer", seconds=150)
        ended = self.stack.exit_codes("jetstream", "data_writer")
        return {name: ended[service] for name, service in SERVICES.items() if service in ended}

    def archive(self) -> Path:
        """Copy the archive out of its volume; returns the copy."""
        return self.stack.archive()
