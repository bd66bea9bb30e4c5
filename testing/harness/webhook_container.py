"""The webhook's receiver as a container on a fake machine's network: somebody who is told of alerts."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import Any
from urllib.request import urlopen

from testing.harness.daemons import REPOSITORY
from testing.harness.redis import free_port
from testing.harness.upstream import LABEL, address_of
from testing.harness.waiting import wait_for

PORT = 8080


@dataclass
class Listener:
    """A receiver named `name` on `network`."""

    name: str
    network: str
    image: str
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        """Where Alertmanager finds it."""
        return f"http://{address_of(self.name, self.network)}:{PORT}/"

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = REPOSITORY / "testing" / "webhook.py"
        words = [
            "docker",
            "run",
            "--detach",
            f"--label={LABEL}",
            f"--network={self.network}",
            "--cpu-shares=64",
        ]
        words += [f"--name={self.name}", f"--publish=127.0.0.1:{self.port}:{PORT}"]
        words += [f"--volume={program}:/webhook.py:ro", self.image, "python", "/webhook.py", str(PORT)]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        wait_for(self._answers, 60, "the receiver answers")

    def heard(self) -> list[dict[str, Any]]:
        """Return every alert in every notification so far."""
        with urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as reply:
            said = json.loads(reply.read())
        return [alert for one in said for alert in one["body"]["alerts"]]

    def stop(self) -> None:
        """Remove it."""
        subprocess.run(["docker", "rm", "--force", "--volumes", self.name], check=False, capture_output=True)

    def _answers(self) -> bool:
        try:
            self.heard()
        except OSError:
            return False
        return True
