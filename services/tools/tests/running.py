"""The operators' commands as real processes, with what production lets them do in Redis."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from testing.daemons import PREFIXES, REPOSITORY

if TYPE_CHECKING:
    from testing.pipeline import Pipeline

SECONDS = 120.0
ALONE = """
import importlib, sys, typer
module, name = sys.argv[1:3]
del sys.argv[1:3]
typer.run(getattr(importlib.import_module(module), name))
"""


def settings_of(running: Pipeline) -> dict[str, str]:
    """Return the environment of a tool beside these daemons."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    return {**env, **running.ingester.settings, "REDIS_URL": running.redis.url("operator"), "COLUMNS": "200"}


def started(running: Pipeline, module: str, name: str, *words: str, **more: str) -> subprocess.Popen[str]:
    """Start a command of this module."""
    return subprocess.Popen(
        [sys.executable, "-c", ALONE, module, name, *words],
        cwd=REPOSITORY,
        env={**settings_of(running), **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(running: Pipeline, module: str, name: str, *words: str, **more: str) -> tuple[int, str]:
    """Run a command to its end; returns its exit code and all it said."""
    process = started(running, module, name, *words, **more)
    out, said = process.communicate(timeout=SECONDS)
    return process.returncode, out + said
