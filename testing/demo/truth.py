"""What should be in the archive of a demo stack: all that its host tells, by the mark in the archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from websockets.sync.client import connect

from testing.demo.host import words_of
from testing.events import HostView, Traffic
from testing.fakes.jetstream.__main__ import arguments, options
from testing.harness.truth import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testing.harness.stack import Stack


def truth_of_demo(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every event of the demo's host, with its stream."""
    source = options(arguments(words_of(archive))).source
    assert isinstance(source, Traffic)
    assert source.total is not None, "a host that never falls silent has no whole truth; set DEMO_EVENTS"
    for frame in source.truth(HostView()):
        yield stream_of(frame), frame


def tell_host(stack: Stack, command: str, **words: Any) -> dict[str, Any]:
    """Give the demo's host a command; returns its status."""
    address = f"ws://127.0.0.1:{stack.settings['FAKE_JETSTREAM_PORT']}/control"
    with connect(address, max_size=None) as control:
        control.send(json.dumps({"do": command, **words}))
        said: dict[str, Any] = json.loads(control.recv())
    assert said["ok"], said
    return said
