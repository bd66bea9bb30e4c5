"""Locust as a subprocess, and the table that it writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testing.harness import programs
from testing.harness.daemons import REPOSITORY
from testing.performance.load.result import Row

if TYPE_CHECKING:
    from testing.performance.load.plan import RunPlan

LOCUSTFILE = REPOSITORY / "testing" / "performance" / "load" / "locustfile.py"
WEB_PORT = 8089
END_SECONDS = 60.0


@dataclass
class Swarm:
    """One Locust with its worker processes; its files are in `folder`."""

    folder: Path
    plan: RunPlan
    processes: int = 1
    web: bool = False
    """Whether to serve its web pages on 127.0.0.1:8089."""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it ends with the shape."""
        plan = self.folder / "plan.json"
        self.plan.write(plan)
        web = ["--autostart", "--autoquit", "3", "--web-host", "127.0.0.1", "--web-port", str(WEB_PORT)]
        shown = web if self.web else ["--headless", "--only-summary"]
        workers = ["--processes", str(self.processes)] if self.processes > 1 else []
        words = ["-f", str(LOCUSTFILE), "--run-plan", str(plan), *shown, *workers]
        words += ["--stop-timeout", f"{self.plan.timeout + 5:g}"]
        locust = (sys.executable, "-m", "locust", *words)
        self.process = programs.start(*locust, log=self.folder / "locust.log", cwd=REPOSITORY)

    def runs(self) -> bool:
        """Whether it still runs."""
        return self.process is not None and self.process.poll() is None

    def pids(self) -> dict[str, int]:
        """Return its process, for the sampler."""
        return {"locust": self.process.pid} if self.process is not None and self.runs() else {}

    def end(self) -> None:
        """End it, if it still runs."""
        if self.process is None:
            return
        for number in (signal.SIGINT, signal.SIGKILL):
            if self.process.poll() is None:
                # The whole session: its workers too.
                os.killpg(self.process.pid, number)
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return

    def last_output(self) -> str:
        """Return the end of its log."""
        return (self.folder / "locust.log").read_text(errors="replace")[-2000:]

    def rows(self) -> list[Row]:
        """Return its table; empty if it wrote none."""
        path = Path(f"{self.plan.table}.json")
        if not path.exists():
            return []
        return [row_of(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def row_of(entry: dict[str, Any]) -> Row:
    """Return a row of the table from an entry of Locust's JSON."""
    times = sorted((float(time), int(count)) for time, count in entry["response_times"].items())
    requests = int(entry["num_requests"])
    seconds = max(1e-9, float(entry["last_request_timestamp"]) - float(entry["start_time"]))
    middle, p95, p99 = (_quantile(times, requests, share) for share in (0.5, 0.95, 0.99))
    return Row(
        entry["method"],
        entry["name"],
        requests,
        int(entry["num_failures"]),
        requests / seconds,
        middle,
        p95,
        p99,
        float(entry["max_response_time"]),
        float(entry["total_content_length"]) / max(1, requests),
    )


def _quantile(times: list[tuple[float, int]], requests: int, share: float) -> float:
    seen = 0
    for time, count in times:
        seen += count
        if seen >= share * requests:
            return time
    return 0.0
