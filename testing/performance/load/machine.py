"""The machine a run was made on, in words."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = ("locust", "redis", "websockets", "pyarrow", "duckdb")


def machine() -> dict[str, str]:
    """Describe processor, memory, disk, system and the versions that matter."""
    memory = psutil.virtual_memory().total / 1e9
    disk = psutil.disk_usage(str(Path.cwd())).free / 1e9
    return {
        "processor": f"{os.cpu_count()} CPUs: {_processor()}",
        "memory": f"{memory:.0f} GB, {psutil.virtual_memory().available / 1e9:.0f} GB free",
        "disk": f"{disk:.0f} GB free",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load before the run": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "versions": f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "unknown")
