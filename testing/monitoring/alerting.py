"""Real faults in a running stack, and the seconds until a webhook receives their notifications.

The stack is that of Compose with two additions: the receiver, a container beside Alertmanager, and a small
disk for the archive, which a test can fill.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from deployment.make_secrets import ADDRESSES, make_secrets
from testing.environment.images.recipes import references
from testing.harness.daemons import REPOSITORY
from testing.harness.redis import free_port
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.stack import Stack

PORT = 8080
ARCHIVE_MB = 160
RESERVE_MB = 20
"""ARCHIVE_DISK_FREE_MIN_MB; the alert fires at twice as much."""
LEFT_MB = 30
TIMEOUT_SECONDS = 180.0
PEOPLE, SWITCH = "/people", "/switch"
STAGING = "/archive/.state/staging"


def new_secrets(folder: Path) -> tuple[str, ...]:
    """Make the secrets of a new stack; returns the names of addresses, which are empty."""
    make_secrets(folder)
    return ADDRESSES


class Fault(NamedTuple):
    """A fault in the stack, the alert that must fire, and the repair."""

    name: str
    alert: str
    inject: Callable[[], object]
    repair: Callable[[], object]


@dataclass
class Receiver:
    """The receiver of a stack's webhook notifications."""

    folder: Path
    port: int = field(default_factory=free_port)

    def addition(self) -> str:
        """Write an additional Compose file; returns its path."""
        python = next(str(one) for one in references() if one.variable == "PYTHON_IMAGE")
        webhook = {
            "image": python,
            "init": True,
            "command": ["python", "/webhook.py", str(PORT)],
            "volumes": [f"{REPOSITORY / 'testing' / 'fakes' / 'webhook.py'}:/webhook.py:ro"],
            "networks": ["inside"],
            "ports": [f"127.0.0.1:{self.port}:{PORT}"],
            "mem_limit": "64m",
        }
        disk = {"type": "tmpfs", "device": "tmpfs", "o": f"size={ARCHIVE_MB}m,mode=1777"}
        path = self.folder / "alerting.json"
        content = {"services": {"webhook": webhook}, "volumes": {"archive": {"driver_opts": disk}}}
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def configure(self, stack: Stack) -> None:
        """Write its addresses into the stack's secrets: one for people, one as the dead man's switch."""
        for name, path in (("alert_webhook", PEOPLE), ("alert_watchdog", SWITCH)):
            (stack.secrets / name).write_text(f"http://webhook:{PORT}{path}\n", encoding="utf-8")

    def notifications(self, stack: Stack) -> list[tuple[float, str, dict[str, Any]]]:
        """Return every alert in every notification: Unix seconds of receipt, path, alert."""
        stack.settings["WEBHOOK_PORT"] = str(self.port)
        return [
            (one["at"], one["path"], alert)
            for one in stack.get("WEBHOOK_PORT", "/")
            for alert in one["body"]["alerts"]
        ]


@dataclass
class Trial:
    """Faults in one stack, each injected, notified, repaired and resolved; several may overlap."""

    stack: Stack
    receiver: Receiver
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    """By alert and status: from the fault, or from its repair, to the receipt of the notification."""
    _since: dict[str, float] = field(default_factory=dict)

    def inject(self, *faults: Fault) -> None:
        """Inject faults."""
        for fault in faults:
            self._since[fault.alert] = time.time()
            fault.inject()

    def repair(self, *faults: Fault) -> None:
        """Repair faults."""
        for fault in faults:
            self._since[fault.alert] = time.time()
            fault.repair()

    def wait(self, status: str, *faults: Fault, seconds: float = TIMEOUT_SECONDS) -> None:
        """Wait until a notification of each fault has arrived, with status `firing` or `resolved`."""
        for fault in faults:
            since = self._since[fault.alert]
            arrived = partial(self._arrived, fault.alert, status, since)
            try:
                self.seconds[fault.alert, status] = (
                    min(wait_for(arrived, seconds, f"{fault.alert} {status}")) - since
                )
            except TimeoutError as error:
                raise AssertionError(f"{error}; firing: {self.firing()}\n{self.stack.logs()}") from error

    def table(self, *faults: Fault) -> str:
        """Return a line a fault: name, alert, seconds until it was sent, seconds from repair to all-clear."""
        return "\n".join(
            f"{fault.name:<44} {fault.alert:<21} {self.seconds[fault.alert, 'firing']:6.1f} s"
            f" {self.seconds[fault.alert, 'resolved']:6.1f} s"
            for fault in faults
        )

    def sent_since(self, alert: str) -> set[str]:
        """Return every alert sent to people as firing since the fault or repair of this one."""
        since = self._since[alert]
        return {
            one["labels"]["alertname"]
            for at, path, one in self.receiver.notifications(self.stack)
            if at >= since and one["status"] == "firing" and path == PEOPLE
        }

    def firing(self) -> set[str]:
        """Return the alerts that fire in Prometheus now."""
        return {one["metric"]["alertname"] for one in self.stack.query('ALERTS{alertstate="firing"}')}

    def _arrived(self, alert: str, status: str, since: float) -> list[float]:
        return [
            at
            for at, _, one in self.receiver.notifications(self.stack)
            if at >= since and one["status"] == status and one["labels"]["alertname"] == alert
        ]


def kill(stack: Stack, name: str, service: str, alert: str) -> Fault:
    """Kill a service's container, and start it again."""
    return Fault(name, alert, lambda: stack.compose("kill", service), lambda: stack.up(service, wait=False))


def low_disk(stack: Stack) -> Fault:
    """Leave between one and two times the reserve free on the archive's disk."""
    free = f"shutil.disk_usage('/archive').free - {LEFT_MB}_000_000"
    return Fault(
        f"{LEFT_MB} MB left on the archive's disk",
        "DiskLow",
        lambda: _in_writer(stack, f"import shutil; open('/archive/ballast', 'wb').write(bytes({free}))"),
        lambda: _in_writer(stack, "import os; os.remove('/archive/ballast')"),
    )


def no_permission(stack: Stack) -> Fault:
    """Prevent the running writer from writing into the archive."""
    return Fault(
        "staging folder cannot be written (interval 5 s)",
        "WriterStalled",
        lambda: _in_writer(stack, f"import os; os.chmod({STAGING!r}, 0)"),
        lambda: _in_writer(stack, f"import os; os.chmod({STAGING!r}, 0o755)"),
    )


def _in_writer(stack: Stack, code: str) -> None:
    stack.compose("exec", "-T", "data_writer", "python", "-c", code)
