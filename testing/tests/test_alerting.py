"""The receiver of notifications keeps them, and Compose accepts the additions for alerting tests."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

from testing.harness.daemons import REPOSITORY
from testing.harness.redis import free_port
from testing.harness.stack import BASE, Stack
from testing.harness.waiting import wait_for
from testing.monitoring.alerting import PEOPLE, SWITCH, Receiver

if TYPE_CHECKING:
    from pathlib import Path


def test_the_receiver_keeps_every_notification_with_its_time() -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "testing" / "fakes" / "webhook.py"), str(port)]
    )
    try:
        wait_for(lambda: _answers(address), 20, "the receiver listens")
        before = time.time()
        for number in range(2):
            body = json.dumps({"alerts": [number]}).encode()
            urllib.request.urlopen(f"{address}{PEOPLE}", body, timeout=5).close()  # noqa: S310 - on this machine
        with urllib.request.urlopen(address, timeout=5) as reply:
            received = json.loads(reply.read())
    finally:
        process.terminate()
        process.wait(10)
    assert [one["body"] for one in received] == [{"alerts": [0]}, {"alerts": [1]}]
    assert {one["path"] for one in received} == {PEOPLE}
    assert before <= received[0]["at"] <= received[1]["at"] <= time.time()


def test_compose_accepts_the_receiver_and_the_small_disk(engine: None, tmp_path: Path) -> None:  # noqa: ARG001
    receiver = Receiver(tmp_path)
    one = Stack("bluesky-archive-test-files", tmp_path / "stack", files=(BASE, receiver.addition()))
    receiver.configure(one)
    config = json.loads(one.compose("config", "--format", "json"))
    assert config["services"]["webhook"]["ports"][0]["host_ip"] == "127.0.0.1"
    assert config["volumes"]["archive"]["driver_opts"]["type"] == "tmpfs"
    assert (one.secrets / "alert_webhook").read_text().strip().endswith(PEOPLE)
    assert (one.secrets / "alert_watchdog").read_text().strip().endswith(SWITCH)


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - as above
    except OSError:
        return False
    return True
