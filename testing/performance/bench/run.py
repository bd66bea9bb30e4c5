"""One run of the bench: its events, repeats and deadline, and the machine that it runs on."""

from __future__ import annotations

import os
import platform
import shutil
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, TypeVar

from testing.harness.programs import run
from testing.harness.redis import find_server
from testing.performance.bench.child import ContestantError
from testing.performance.load.result import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from testing.performance.bench.frames import Frames


T = TypeVar("T")
PACKAGES = (
    "redis",
    "hiredis",
    "websockets",
    "uvloop",
    "msgspec",
    "pyarrow",
    "polars",
    "duckdb",
    "zstandard",
    "atproto",
)


@dataclass(frozen=True)
class BenchRun:
    """One run of the bench."""

    frames: Frames
    folder: Path
    repeats: int
    cores: int
    seed: int
    deadline: float
    """Monotonic second after which no further repeat starts; every contestant is measured once."""
    note: Callable[[str], None]
    """Prints a line of progress."""
    is_long: bool = False
    """Whether to measure what takes many minutes too."""

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() > self.deadline

    def alternate(
        self, contestants: Mapping[str, Callable[[Path], T]], describe: Callable[[T], str]
    ) -> dict[str, list[T]]:
        """Measure all contestants in turn, `repeats` times; returns the results by name.

        Each measurement has a new folder. A contestant that fails or times out is reported and left out from
        then on.
        """
        found: dict[str, list[T]] = {name: [] for name in contestants}
        out: set[str] = set()
        for repeat in range(self.repeats):
            if repeat and self.is_over:
                self.note(f"deadline passed after {repeat} of {self.repeats} repeats")
                break
            for name, measure in contestants.items():
                if name in out:
                    continue
                folder = self.folder / "contestant"
                folder.mkdir()
                try:
                    found[name].append(measure(folder))
                except (ContestantError, TimeoutError) as error:
                    out.add(name)
                    self.note(f"{name}: left out, {error}")
                    continue
                finally:
                    shutil.rmtree(folder)
                self.note(f"{name}, {repeat + 1} of {self.repeats}: {describe(found[name][-1])}")
        return {name: runs for name, runs in found.items() if runs}


def limit_cores(cores: int) -> int:
    """Limit this process and its children to some cores, if the system can; returns the number of cores."""
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    there = sorted(os.sched_getaffinity(0))[:cores]
    os.sched_setaffinity(0, there)
    return len(there)


def describe_machine(cores: int) -> dict[str, str]:
    """Return processor, memory, disk, system and the relevant versions, in words."""
    server = run(find_server(), "--version").stdout
    return machine() | {
        "cores used": str(cores),
        "kernel": platform.release(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "server": " ".join(server.split()[:4]),
        "versions": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
