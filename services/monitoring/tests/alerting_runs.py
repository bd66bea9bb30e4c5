"""One running stack, six real faults, and the notifications that arrive: the run of test_alerting."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.request import urlopen

from testing.harness.stack import BASE, METRICS, PIPELINE
from testing.harness.waiting import wait_for
from testing.monitoring.alerting import RESERVE_MB, SWITCH, Receiver, Trial, kill, low_disk, no_permission

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.stack import Stack
    from testing.monitoring.alerting import Fault

A_MINUTE = 60.0
SETTINGS = {
    "DEMO_RATE": "50",
    "WRITER_INTERVAL": "5",
    "WRITER_MAX_AGE": "5",
    "ARCHIVE_DISK_FREE_MIN_MB": str(RESERVE_MB),
}
CONSEQUENCES = {"IngesterDisconnected", "IngesterSilent", "WriterStalled", "AofFailing"}
"""Alerts that hold too while Redis is down, and are not sent."""


class Run:
    """The stack, healthy and without alerts at first, and the faults with their notifications."""

    def __init__(self, make: Callable[..., Stack], folder: Path) -> None:
        self.receiver = Receiver(folder)
        self.stack = make(SETTINGS, files=(BASE, self.receiver.addition()), profiles=("demo",))
        self.receiver.configure(self.stack)
        self.trial = Trial(self.stack, self.receiver)
        self.stack.up(*PIPELINE, *METRICS, "webhook")
        wait_for(
            lambda: self.stack.query("sum(up) == 7") and self.trial.firing() == {"Watchdog"},
            A_MINUTE,
            f"every target is scraped and only the watchdog fires; firing: {self.trial.firing()}",
        )
        wait_for(self.switch_called, A_MINUTE, "the dead man's switch was called")

    def switch_called(self) -> bool:
        """Whether the dead man's switch received the watchdog, and nothing else."""
        received = {alert["labels"]["alertname"] for _, path, alert in self.notifications() if path == SWITCH}
        assert received <= {"Watchdog"}
        return bool(received)

    def notifications(self) -> list[tuple[float, str, dict[str, dict[str, str]]]]:
        """Return every alert of every notification so far."""
        return self.receiver.notifications(self.stack)

    def documented(self) -> bool:
        """Whether every alert sent has rendered texts and a link into the runbook."""
        with urlopen(self.stack.url("PROMETHEUS_PORT", "/user/runbook.md"), timeout=10) as reply:  # noqa: S310
            runbook = reply.read().decode()
        for _, _, alert in self.notifications():
            name, texts = alert["labels"]["alertname"], alert["annotations"]
            assert not re.search(r"<no value>|<error|%!|\{\{", " ".join(texts.values())), texts
            assert texts["runbook_url"].endswith(f"/user/runbook.md#{name.lower()}")
            assert f"### {name}\n" in runbook
            assert "runbook" not in alert["labels"]
        return bool(runbook)

    def faults(self) -> list[Fault]:
        """Inject all faults, several at once where none hides another; returns them."""
        stack, trial = self.stack, self.trial
        writer = kill(stack, "writer killed", "data_writer", "WriterDown")
        socket = kill(stack, "socket closed for good", "fake_jetstream", "IngesterDisconnected")
        trial.inject(writer, socket)
        trial.wait("firing", writer, socket)
        trial.repair(writer, socket)

        stack.wait_healthy("data_writer")
        disk, stalled = low_disk(stack), no_permission(stack)
        trial.inject(disk, stalled)
        trial.wait("resolved", socket)
        ingester = kill(stack, "ingester killed", "jetstream", "IngesterDown")
        trial.inject(ingester)
        trial.wait("firing", disk, ingester)
        trial.repair(disk, ingester)
        trial.wait("firing", stalled)
        trial.repair(stalled)
        trial.wait("resolved", writer, disk, ingester, stalled)

        redis = kill(stack, "Redis killed", "redis", "RedisDown")
        trial.inject(redis)
        trial.wait("firing", redis)
        wait_for(lambda: self.stack.query("max(archive_receive_connected) == 0"), A_MINUTE, "its consequence")
        assert not trial.sent_since("RedisDown") & CONSEQUENCES
        trial.repair(redis)
        trial.wait("resolved", redis)
        return [redis, writer, ingester, socket, disk, stalled]
