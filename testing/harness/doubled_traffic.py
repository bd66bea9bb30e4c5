"""Twice the traffic: the demo's host lets its time run at double speed, one connection and no reconnect."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING

from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.harness.stack import Stack

STEP_SECONDS = 0.25


@contextlib.contextmanager
def doubled(stack: Stack) -> Iterator[None]:
    """While inside, every second of the host's time passes twice."""
    address = f"ws://127.0.0.1:{stack.settings['FAKE_JETSTREAM_PORT']}/control"
    ended = threading.Event()
    refused: list[str] = []

    def push() -> None:
        with connect(address, max_size=None) as control:
            before = time.monotonic()
            while not ended.wait(STEP_SECONDS):
                now = time.monotonic()
                control.send(json.dumps({"do": "advance", "seconds": now - before}))
                said = json.loads(control.recv())
                if not said["ok"]:
                    refused.append(said["error"])
                before = now

    pusher = threading.Thread(target=push)
    pusher.start()
    try:
        yield
    finally:
        ended.set()
        pusher.join()
    assert not refused, refused
