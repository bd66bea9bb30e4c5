"""The machine and the versions that figures are of, and the cores that a run keeps to."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from testing.harness.redis import find_server
from testing.performance.load.result import machine

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


def keep_to(cores: int) -> int:
    """Keep this process and all that it starts to so many cores, where the system can; returns how many."""
    if not hasattr(os, "sched_setaffinity"):
        return os.cpu_count() or 1
    there = sorted(os.sched_getaffinity(0))[:cores]
    os.sched_setaffinity(0, there)
    return len(there)


def surroundings(cores: int) -> dict[str, str]:
    """Describe processor, memory, disk, system, and the versions that matter here."""
    server = subprocess.run([find_server(), "--version"], capture_output=True, text=True, check=True).stdout
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
