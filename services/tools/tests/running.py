"""Runs commands as real processes, with the Redis user that production gives them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from testing.harness.daemons import PREFIXES, REPOSITORY
from testing.harness.waiting import TIMEOUT_FACTOR

if TYPE_CHECKING:
    from testing.harness.pipeline import Pipeline

SECONDS = 120.0


def settings_of(running: Pipeline) -> dict[str, str]:
    """Return the environment of a command beside these daemons."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    return {**env, **running.ingester.settings, "REDIS_URL": running.redis.url("operator"), "COLUMNS": "200"}


def started(running: Pipeline, *words: str, **more: str) -> subprocess.Popen[str]:
    """Start `archive` with these words."""
    return subprocess.Popen(
        [sys.executable, "-m", "services.tools.main", *words],
        cwd=REPOSITORY,
        env={**settings_of(running), **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(running: Pipeline, *words: str, **more: str) -> tuple[int, str]:
    """Run `archive`; return its exit code and its output."""
    process = started(running, *words, **more)
    with process:
        try:
            out, output = process.communicate(timeout=SECONDS * TIMEOUT_FACTOR)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode, out + output
