"""A Jetstream host as a container on a fake machine's network, commanded from here; and its whole truth."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from testing.harness.redis import free_port
from testing.harness.waiting import wait_for
from testing.performance.load.truth import traffic_of, truth

if TYPE_CHECKING:
    from collections.abc import Iterator

LABEL = "bluesky-archive=test"
PORT = 6008
ENDING_EVENTS = 20
"""Still to come when a host is told to fall silent."""
FOR_EVER = 1_000_000_000


def address_of(container: str, network: str) -> str:
    """Return a container's address on a network."""
    words = ["docker", "inspect", "--format", "{{json .NetworkSettings.Networks}}", container]
    networks = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    return str(networks[network]["IPAddress"])


@dataclass
class Upstream:
    """A host named `name` on `network`; it tells of `rate` events a second until it is told to end."""

    name: str
    network: str
    image: str
    rate: float
    port: int = field(default_factory=free_port)
    first_us: int = 0
    total: int | None = None

    @property
    def address(self) -> str:
        """What INGEST_HOSTS is told: containers inside the machine know no names of this network."""
        return f"ws://{address_of(self.name, self.network)}:{PORT}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.first_us = int(time.time() * 1_000_000)
        words = [
            "docker",
            "run",
            "--detach",
            f"--label={LABEL}",
            f"--network={self.network}",
            "--cpu-shares=64",
        ]
        words += [f"--name={self.name}", f"--publish=127.0.0.1:{self.port}:{PORT}", self.image]
        host = ["python", "-m", "testing.fakes.jetstream", "--host=0.0.0.0", f"--port={PORT}"]
        host += [f"--rate={self.rate}", f"--started={self.first_us / 1_000_000:.6f}"]
        done = subprocess.run([*words, *host], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        wait_for(self._listens, 60, "the host listens")

    def tell(self, command: str, **words: Any) -> dict[str, Any]:
        """Give a command; returns the host's status after it."""
        with connect(f"ws://127.0.0.1:{self.port}/control", max_size=None) as control:
            control.send(json.dumps({"do": command, **words}))
            said: dict[str, Any] = json.loads(control.recv())
        assert said["ok"], said
        return said

    def end(self) -> int:
        """Let it fall silent soon; returns how many events there are in all."""
        self.total = self.tell("status")["tip"] + ENDING_EVENTS
        self.tell("end", total=self.total)
        return self.total

    def go_on(self) -> None:
        """Let it tell of events again after an end, those of the silence too."""
        self.tell("end", total=FOR_EVER)

    def truth(self) -> Iterator[tuple[str, bytes]]:
        """Yield every event that it told, with its stream."""
        return truth(traffic_of(self.tell("status")))

    def stop(self) -> None:
        """Remove it."""
        subprocess.run(["docker", "rm", "--force", "--volumes", self.name], check=False, capture_output=True)

    def _listens(self) -> bool:
        try:
            self.tell("status")
        except (OSError, EOFError, WebSocketException):
            return False
        return True
