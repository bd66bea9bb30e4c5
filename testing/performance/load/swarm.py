"""Locust as a subprocess: how it is started, and the table that it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testing.harness.daemons import REPOSITORY
from testing.performance.load.result import Row

if TYPE_CHECKING:
    from testing.performance.load.place import Place

LOCUSTFILE = REPOSITORY / "testing" / "load" / "locustfile.py"
WEB_PORT = 8089
END_SECONDS = 60.0


@dataclass
class Swarm:
    """One Locust, with as many worker processes as wanted; everything it says lies in `folder`."""

    folder: Path
    place: Place
    processes: int = 1
    web: bool = False
    """Whether to show its pages on 127.0.0.1:8089 while it runs."""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it begins by itself and ends with the shape."""
        place = self.folder / "place.json"
        self.place.write(place)
        web = ["--autostart", "--autoquit", "3", "--web-host", "127.0.0.1", "--web-port", str(WEB_PORT)]
        shown = web if self.web else ["--headless", "--only-summary"]
        workers = ["--processes", str(self.processes)] if self.processes > 1 else []
        words = ["-f", str(LOCUSTFILE), "--place", str(place), *shown, *workers]
        words += ["--stop-timeout", f"{self.place.patience + 5:g}"]
        with (self.folder / "locust.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "locust", *words],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process is not None and self.process.poll() is None

    def pids(self) -> dict[str, int]:
        """Return its process, for the sampler."""
        return {"locust": self.process.pid} if self.process is not None and self.runs() else {}

    def end(self) -> None:
        """End it, if it has not ended by itself."""
        if self.process is None:
            return
        for number in (signal.SIGINT, signal.SIGKILL):
            if self.process.poll() is None:
                # Its workers too: they are of its session.
                os.killpg(self.process.pid, number)
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return

    def said(self) -> str:
        """Return the last of what it said."""
        return (self.folder / "locust.log").read_text(errors="replace")[-2000:]

    def rows(self) -> list[Row]:
        """Return its table; empty if it never came to write one."""
        path = Path(f"{self.place.table}.json")
        if not path.exists():
            return []
        return [row_of(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def row_of(entry: dict[str, Any]) -> Row:
    """Return a line of the table from an entry of Locust's JSON."""
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
