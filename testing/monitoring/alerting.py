"""Real faults in a running stack, and what a webhook's receiver hears of them, by which second.

The stack is as Compose makes it, with two additions: the receiver, a container beside Alertmanager, and a
small disk for the archive, so that it can be filled.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from deployment.make_secrets import ADDRESSES, make_secrets
from testing.environment.images.references import references
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
"""ARCHIVE_DISK_FREE_MIN_MB: told of at twice as much."""
LEFT_MB = 30
MOST_SECONDS = 180.0
PEOPLE, SWITCH = "/people", "/switch"
STAGING = "/archive/.state/staging"


def unheard(folder: Path) -> tuple[str, ...]:
    """Make a stack's secrets as a new user has them; returns those that wait for an address, empty."""
    make_secrets(folder)
    return ADDRESSES


class Fault(NamedTuple):
    """What is done to the stack, the alert that must tell of it, and how it is mended."""

    what: str
    alert: str
    do: Callable[[], object]
    mend: Callable[[], object]


@dataclass
class Receiver:
    """The webhook's receiver of a stack; `files` are what Compose is to read beside its own."""

    folder: Path
    port: int = field(default_factory=free_port)

    def addition(self) -> str:
        """Write the file for Compose; returns its path."""
        python = next(str(one) for one in references() if one.variable == "PYTHON_IMAGE")
        webhook = {
            "image": python,
            "init": True,
            "command": ["python", "/webhook.py", str(PORT)],
            "volumes": [f"{REPOSITORY / 'testing' / 'webhook.py'}:/webhook.py:ro"],
            "networks": ["inside"],
            "ports": [f"127.0.0.1:{self.port}:{PORT}"],
            "mem_limit": "64m",
        }
        disk = {"type": "tmpfs", "device": "tmpfs", "o": f"size={ARCHIVE_MB}m,mode=1777"}
        path = self.folder / "alerting.json"
        told = {"services": {"webhook": webhook}, "volumes": {"archive": {"driver_opts": disk}}}
        path.write_text(json.dumps(told), encoding="utf-8")
        return str(path)

    def tell(self, stack: Stack) -> None:
        """Write its addresses into the stack's secrets: one for people, one as the dead man's switch."""
        for name, path in (("alert_webhook", PEOPLE), ("alert_watchdog", SWITCH)):
            (stack.secrets / name).write_text(f"http://webhook:{PORT}{path}\n", encoding="utf-8")

    def heard(self, stack: Stack) -> list[tuple[float, str, dict[str, Any]]]:
        """Return every alert in every notification: Unix seconds of receipt, path, alert."""
        stack.settings["WEBHOOK_PORT"] = str(self.port)
        return [
            (one["at"], one["path"], alert)
            for one in stack.get("WEBHOOK_PORT", "/")
            for alert in one["body"]["alerts"]
        ]


@dataclass
class Trial:
    """Faults in one stack, each begun, told, mended and cleared; several may be under way at once."""

    stack: Stack
    receiver: Receiver
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    """By alert and status: from the fault, or from its mend, to the notification's receipt."""
    _since: dict[str, float] = field(default_factory=dict)

    def begin(self, *faults: Fault) -> None:
        """Do them."""
        for fault in faults:
            self._since[fault.alert] = time.time()
            fault.do()

    def mend(self, *faults: Fault) -> None:
        """Undo them."""
        for fault in faults:
            self._since[fault.alert] = time.time()
            fault.mend()

    def wait(self, status: str, *faults: Fault, seconds: float = MOST_SECONDS) -> None:
        """Wait until the receiver has heard of each that it is `firing`, or `resolved`."""
        for fault in faults:
            since = self._since[fault.alert]
            heard = partial(self._heard, fault.alert, status, since)
            try:
                self.seconds[fault.alert, status] = (
                    min(wait_for(heard, seconds, f"{fault.alert} {status}")) - since
                )
            except TimeoutError as error:
                raise AssertionError(f"{error}; firing: {self.firing()}\n{self.stack.logs()}") from error

    def table(self, *faults: Fault) -> str:
        """Return fault, alert, seconds until it was told, seconds from the mend to the all-clear."""
        return "\n".join(
            f"{fault.what:<44} {fault.alert:<21} {self.seconds[fault.alert, 'firing']:6.1f} s"
            f" {self.seconds[fault.alert, 'resolved']:6.1f} s"
            for fault in faults
        )

    def told_since(self, alert: str) -> set[str]:
        """Return every alert told of as firing, to people, since this one's fault or mend."""
        since = self._since[alert]
        return {
            one["labels"]["alertname"]
            for at, path, one in self.receiver.heard(self.stack)
            if at >= since and one["status"] == "firing" and path == PEOPLE
        }

    def firing(self) -> set[str]:
        """Return the alerts that fire now, as Prometheus sees them."""
        return {one["metric"]["alertname"] for one in self.stack.query('ALERTS{alertstate="firing"}')}

    def _heard(self, alert: str, status: str, since: float) -> list[float]:
        return [
            at
            for at, _, one in self.receiver.heard(self.stack)
            if at >= since and one["status"] == status and one["labels"]["alertname"] == alert
        ]


def kill(stack: Stack, what: str, service: str, alert: str) -> Fault:
    """Kill a service's container, and start it again."""
    return Fault(what, alert, lambda: stack.compose("kill", service), lambda: stack.up(service, wait=False))


def low_disk(stack: Stack) -> Fault:
    """Leave less than twice the reserve on the archive's disk, and more than once."""
    free = f"shutil.disk_usage('/archive').free - {LEFT_MB}_000_000"
    return Fault(
        f"{LEFT_MB} MB left on the archive's disk",
        "DiskLow",
        lambda: _in_writer(stack, f"import shutil; open('/archive/ballast', 'wb').write(bytes({free}))"),
        lambda: _in_writer(stack, "import os; os.remove('/archive/ballast')"),
    )


def no_permission(stack: Stack) -> Fault:
    """Keep the writer, which lives on, from writing into the archive."""
    return Fault(
        "staging folder cannot be written (interval 5 s)",
        "WriterStalled",
        lambda: _in_writer(stack, f"import os; os.chmod({STAGING!r}, 0)"),
        lambda: _in_writer(stack, f"import os; os.chmod({STAGING!r}, 0o755)"),
    )


def _in_writer(stack: Stack, code: str) -> None:
    stack.compose("exec", "-T", "data_writer", "python", "-c", code)
