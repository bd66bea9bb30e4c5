"""Commands to a fake host from inside Locust, over a client that its patched standard library can run."""

from __future__ import annotations

import json
from typing import Any

from gevent.lock import RLock
from websocket import create_connection

TIMEOUT_SECONDS = 30.0


class Commander:
    """One control connection, for one greenlet at a time."""

    def __init__(self, address: str) -> None:
        self._socket = create_connection(address, timeout=TIMEOUT_SECONDS)
        self._lock = RLock()

    def tell(self, command: str, **words: Any) -> dict[str, Any]:
        """Give a command; returns the host's status after it."""
        with self._lock:
            self._socket.send(json.dumps({"do": command, **words}))
            said: dict[str, Any] = json.loads(self._socket.recv())
        assert said["ok"], said
        return said

    def close(self) -> None:
        """Leave."""
        self._socket.close()
