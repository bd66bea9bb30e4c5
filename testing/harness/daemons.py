"""Our daemons as child processes: started, queried, killed, stopped."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from testing.harness import programs
from testing.harness.redis import free_port
from testing.harness.waiting import TIMEOUT_FACTOR, wait_for

if TYPE_CHECKING:
    import subprocess

REPOSITORY = Path(__file__).resolve().parents[2]
PREFIXES = ("INGEST_", "WRITER_", "COMPACT_", "ARCHIVE_", "REDIS_")
PORTS = {"jetstream": "INGEST_PORT", "data_writer": "WRITER_PORT", "compactor": "COMPACT_PORT"}
STOP_SECONDS = 30.0


@dataclass
class Daemon:
    """One daemon: `module` run with `settings`, and with none of our variables of this process."""

    module: str
    settings: dict[str, str]
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    tree: Path = REPOSITORY
    """The checkout whose code runs; mutants have another one."""
    under: tuple[str, ...] = ()
    """Command line of a program that runs the daemon, a tracer for example."""
    starter: tuple[str, ...] = ()
    """Module and arguments that run `module`, which follows: one that arms crash points, for example."""

    def start(self, *arguments: str) -> None:
        """Start the process; returns at once."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
        service = self.module.split(".")[1] if self.module.startswith("services.") else ""
        env |= self.settings | {PORTS.get(service, "WRITER_PORT"): str(self.port)}
        words = (*self.under, sys.executable, "-m", *self.starter, self.module, *arguments)
        self.process = programs.start(*words, log=self.log, cwd=self.tree, env=env)

    def signal(self, number: int) -> None:
        """Send a signal, if it was started."""
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """Send SIGKILL and wait for its end."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """Send SIGTERM and wait for its end; returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for its end; returns its exit code."""
        return 0 if self.process is None else self.process.wait(seconds * TIMEOUT_FACTOR)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def health(self) -> tuple[int, dict[str, Any]]:
        """Query /healthz: status and body; status 0 if it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, {}

    def metrics(self) -> dict[str, float]:
        """Query /metrics: samples by `name{label="value"}`; empty if it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        return {
            _name(sample.name, sample.labels): float(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def total(self, name: str) -> float:
        """Return a metric summed over its labels."""
        return sum(value for key, value in self.metrics().items() if key.partition("{")[0] == name)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return its log, parsed."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in self.log_lines() if line.get("event") == event]

    def wait_listening(self, seconds: float = 30.0) -> None:
        """Wait until it answers /healthz, healthy or not, or has ended."""
        wait_for(lambda: self.health()[0] or not self.is_alive, seconds, f"{self.module} to listen")

    def wait_healthy(self, seconds: float = 30.0) -> None:
        """Wait until /healthz answers 200."""
        wait_for(lambda: self.health()[0] == 200, seconds, f"{self.module} to be healthy; see {self.log}")


def _name(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
