"""A Compose project of one test: secrets, ports, volumes and archive."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from deployment.make_secrets import make_secrets
from deployment.release import Target, images_of
from testing.fakes.jetstream.client import control_connection
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import docker, inspect, minimal_environment, run
from testing.harness.redis import free_port
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from testing.fakes.jetstream.client import Control

IMAGE_TAG = "test"
BASE = "docker-compose.yml"
PRODUCTION = "docker-compose.prod.yml"
PORTS = (
    "REDIS_PORT",
    "HEALTH_PORT",
    "PROMETHEUS_PORT",
    "ALERTMANAGER_PORT",
    "GRAFANA_PORT",
    "FAKE_JETSTREAM_PORT",
    "HTTP_PORT",
    "HTTPS_PORT",
)
PIPELINE = ("redis", "jetstream", "data_writer", "compactor", "health", "fake_jetstream")
METRICS = ("redis_exporter", "node_exporter", "prometheus", "alertmanager")
DAEMONS = ("redis", "jetstream", "data_writer", "health")
UP_SECONDS = 180


@dataclass
class Stack:
    """A project named `name`; `settings` are written to its .env file in `folder`."""

    name: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = (BASE,)
    profiles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        make_secrets(self.secrets)
        ports = {name: str(free_port()) for name in PORTS}
        own = {"SECRETS_DIR": str(self.secrets), "ENV_FILE": str(self._env), "IMAGE_TAG": IMAGE_TAG}
        self.settings = {**own, **ports, **self.settings}

    @property
    def secrets(self) -> Path:
        """The folder of its passwords."""
        return self.folder / "secrets"

    @property
    def _env(self) -> Path:
        return self.folder / "env"

    def url(self, port: str, path: str = "") -> str:
        """Return the address of a published port, by the name of its variable."""
        return f"http://127.0.0.1:{self.settings[port]}{path}"

    def redis_url(self, role: str) -> str:
        """Return the address of its Redis with a role's credentials."""
        password = (self.secrets / f"redis_{role}").read_text(encoding="utf-8").strip()
        return f"redis://{role}:{password}@127.0.0.1:{self.settings['REDIS_PORT']}/0"

    def control(self) -> AbstractContextManager[Control]:
        """Open a control connection to the demo's Jetstream host."""
        return control_connection(f"ws://127.0.0.1:{self.settings['FAKE_JETSTREAM_PORT']}/control")

    def compose(self, *words: str, check: bool = True, seconds: float = 60) -> str:
        """Run `docker compose` on it; returns standard output and error."""
        self._env.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()), "utf-8")
        files = [word for file in self.files for word in ("-f", str(REPOSITORY / file))]
        profiles = [word for profile in self.profiles for word in ("--profile", profile)]
        command = ["docker", "compose", "--env-file", str(self._env), "-p", self.name, *files, *profiles]
        # A variable of the environment would override the file.
        env = minimal_environment()
        return run(*command, *words, check=check, merged=True, env=env, seconds=seconds).stdout

    def up(self, *services: str, wait: bool = True) -> None:
        """Start services and what they depend on, and wait until all are healthy."""
        try:
            self.compose("up", "-d", *(["--wait"] if wait else []), *services, seconds=UP_SECONDS)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise AssertionError(f"{error}\n{self.compose('ps', '-a')}\n{self.logs()}") from error

    def logs(self, *services: str) -> str:
        """Return the last 200 log lines of each."""
        return self.compose("logs", "--no-color", "--tail", "200", *services)

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine knows about a service's container."""
        return inspect(f"{self.name}-{service}-1")

    def health(self, service: str) -> str:
        """Return the state of its health check: starting, healthy, unhealthy."""
        return str(self.inspect(service)["State"]["Health"]["Status"])

    def wait_healthy(self, service: str, seconds: float = 60) -> None:
        """Wait until its health check passes."""
        wait_for(lambda: self.health(service) == "healthy", seconds, f"{service} to be healthy")

    def memory_share(self, service: str) -> float:
        """Return the share of its memory limit that a service's container uses."""
        share = docker("stats", "--no-stream", "--format", "{{.MemPerc}}", f"{self.name}-{service}-1")
        return float(share.strip().rstrip("%")) / 100

    def get(self, port: str, path: str) -> Any:
        """Return the JSON answer of a published port; raises HTTPError."""
        with urlopen(self.url(port, path), timeout=10) as reply:  # noqa: S310 - the test's own http address
            return json.loads(reply.read())

    def ask(self, port: str, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and JSON answer of a published port, for HTTP errors too."""
        try:
            with urlopen(self.url(port, path), timeout=10) as reply:  # noqa: S310 - as above
                return reply.status, json.loads(reply.read())
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Query its Prometheus; returns the samples."""
        with urlopen(  # noqa: S310 - as above
            self.url("PROMETHEUS_PORT", "/api/v1/query"),
            data=urlencode({"query": promql}).encode(),
            timeout=10,
        ) as reply:
            samples: list[dict[str, Any]] = json.loads(reply.read())["data"]["result"]
        return samples

    def archive(self) -> Path:
        """Copy the archive out of its volume; returns the copy."""
        copy = self.folder / "archive"
        self.compose("cp", "data_writer:/archive", str(copy))
        return copy

    def exit_codes(self, *services: str) -> dict[str, int]:
        """Return the exit codes of services that are stopped and not yet removed.

        Not from the engine's events: it keeps only 256, which health checks fill within a minute.
        """
        states = {service: self.inspect(service)["State"] for service in services}
        assert not any(state["Running"] for state in states.values()), states
        return {service: int(state["ExitCode"]) for service, state in states.items()}

    def end(self) -> None:
        """Remove its containers, networks and volumes."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False, seconds=120)


def images_of_production(prefix: str, tag: str) -> dict[str, str]:
    """Return production's image variables with the tags on this machine."""
    return {image.variable: image.source for image in images_of(Target(prefix, prefix, tag, 0, ""))}
