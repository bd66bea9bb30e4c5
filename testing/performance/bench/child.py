"""A contestant in a process of its own, so that its memory is its own; it prints its figures as JSON."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from testing.harness.daemons import REPOSITORY
from testing.performance.bench.as_shipped import AS_SHIPPED
from testing.performance.bench.outcome import Figures

SECONDS = 240.0
"""Time limit of a contestant."""


class ContestantError(Exception):
    """A contestant cannot run or did not finish; the message gives the reason."""


class Stopwatch:
    """Measures wall and CPU seconds of this process, all threads, from its construction on."""

    def __init__(self) -> None:
        self._began, self._used = time.perf_counter(), cpu_seconds()

    def print_figures(self, events: int, size: int = 0) -> None:
        """Print the figures of `events` events for the parent; `size` is the number of bytes written."""
        seconds, cpu = time.perf_counter() - self._began, cpu_seconds() - self._used
        print(json.dumps(asdict(Figures(events, seconds, cpu, peak_bytes(), size))), flush=True)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process so far, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_bytes() -> int:
    """Return the peak of this program's resident memory."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: on Linux it starts with the parent's value.
        lines = status.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def start(module: str, *words: str) -> subprocess.Popen[str]:
    """Start a contestant; `finish` reads its output."""
    return subprocess.Popen(
        [sys.executable, "-m", *AS_SHIPPED, module, *words],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(contestant: subprocess.Popen[str]) -> Figures:
    """Wait for a contestant's figures and end it; raises ContestantError with its last line of output."""
    try:
        output, errors = contestant.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ContestantError(f"not done within {SECONDS:g} s") from error
    finally:
        if contestant.poll() is None:
            contestant.kill()
            contestant.communicate()
    lines = output.splitlines()
    if contestant.returncode or not lines:
        raise ContestantError(errors.strip().rpartition("\n")[2] or f"exit code {contestant.returncode}")
    return Figures(**json.loads(lines[-1]))


def run(module: str, *words: str) -> Figures:
    """Run a contestant from start to end; raises ContestantError."""
    return finish(start(module, *words))
