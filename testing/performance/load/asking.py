"""Commands to a fake host by its control address, wherever it runs."""

from __future__ import annotations

import json
from typing import Any

from websockets.sync.client import connect


def told(control: str, command: str, **words: Any) -> dict[str, Any]:
    """Give a command; returns the host's status after it."""
    with connect(control, max_size=None) as socket:
        socket.send(json.dumps({"do": command, **words}))
        said: dict[str, Any] = json.loads(socket.recv())
    assert said["ok"], said
    return said
