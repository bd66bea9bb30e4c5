"""Containers on a fake machine's network: a Jetstream host, and a receiver of Alertmanager's webhooks."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from websockets.exceptions import WebSocketException

from testing.fakes.jetstream.client import send_command
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import inspect, remove_container, run_container
from testing.harness.redis import free_port
from testing.harness.truth import traffic_of, truth_of_traffic
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST_PORT = 6008
WEBHOOK_PORT = 8080
WEBHOOK = REPOSITORY / "testing" / "fakes" / "webhook.py"
START_SECONDS = 60
ENDING_EVENTS = 20
"""Events still sent after `end`."""
ENDLESS = 1_000_000_000


def address_of(container: str, network: str) -> str:
    """Return a container's address on a network."""
    return str(inspect(container)["NetworkSettings"]["Networks"][network]["IPAddress"])


@dataclass
class Upstream:
    """A Jetstream host that sends `rate` events a second until `end`."""

    name: str
    network: str
    image: str
    rate: float
    port: int = field(default_factory=free_port)
    first_us: int = 0

    @property
    def address(self) -> str:
        """Its entry in INGEST_HOSTS; by number, as containers inside the machine cannot resolve its name."""
        return f"ws://{address_of(self.name, self.network)}:{HOST_PORT}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.first_us = int(time.time() * 1_000_000)
        host = ("python", "-m", "testing.fakes.jetstream", "--host=0.0.0.0", f"--port={HOST_PORT}")
        traffic = (f"--rate={self.rate}", f"--started={self.first_us / 1_000_000:.6f}")
        published = (f"--publish=127.0.0.1:{self.port}:{HOST_PORT}",)
        run_container(self.name, self.network, self.image, *host, *traffic, options=published)
        wait_for(self._listens, START_SECONDS, "the host to listen")

    def send(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a control command; returns the host's status after it."""
        return send_command(f"ws://127.0.0.1:{self.port}/control", command, **arguments)

    def end(self) -> int:
        """Let it send a few more events and then nothing; returns the total number of events."""
        total = int(self.send("status")["tip"]) + ENDING_EVENTS
        self.send("end", total=total)
        return total

    def resume(self) -> None:
        """Let it send events again after `end`, including those since then."""
        self.send("end", total=ENDLESS)

    def truth(self) -> Iterator[tuple[str, bytes]]:
        """Yield every event that it sent, with its stream."""
        return truth_of_traffic(traffic_of(self.send("status")))

    def stop(self) -> None:
        """Remove it."""
        remove_container(self.name)

    def _listens(self) -> bool:
        try:
            self.send("status")
        except (OSError, EOFError, WebSocketException):
            return False
        return True


@dataclass
class WebhookReceiver:
    """A receiver of Alertmanager's webhooks."""

    name: str
    network: str
    image: str
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        """Its URL for Alertmanager."""
        return f"http://{address_of(self.name, self.network)}:{WEBHOOK_PORT}/"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = (f"--publish=127.0.0.1:{self.port}:{WEBHOOK_PORT}", f"--volume={WEBHOOK}:/webhook.py:ro")
        command = ("python", "/webhook.py", str(WEBHOOK_PORT))
        run_container(self.name, self.network, self.image, *command, options=options)
        wait_for(self._answers, START_SECONDS, "the webhook receiver to answer")

    def alerts(self) -> list[dict[str, Any]]:
        """Return every alert in every notification so far."""
        with urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as reply:
            notifications = json.loads(reply.read())
        return [alert for one in notifications for alert in one["body"]["alerts"]]

    def stop(self) -> None:
        """Remove it."""
        remove_container(self.name)

    def _answers(self) -> bool:
        try:
            self.alerts()
        except OSError:
            return False
        return True
