"""Log lines are JSON, except on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from services.shared.version import VERSION
from testing.harness.daemons import REPOSITORY

PROGRAM = """
import structlog
from services.shared.logging import start_logs
log = structlog.get_logger()
start_logs("example", "{level}")
log.debug("chunk.read", rows=1)
log.info("batch.done", rows=2)
log.warning("retry", error="not now")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("stop.broken")
"""


def lines(level: str) -> list[dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(level=level)], cwd=REPOSITORY, capture_output=True, check=True
    )
    assert run.stdout == b"", "stdout is for a program's output"
    return [json.loads(line) for line in run.stderr.decode().splitlines()]


def test_each_line_is_a_json_object_with_the_service() -> None:
    for line in lines("debug"):
        assert line["service"] == "example"
        assert line["version"] == VERSION
        assert line["timestamp"].endswith("Z"), "the time is marked as UTC"


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["chunk.read", "batch.done", "retry", "stop.broken"]),
        ("info", ["batch.done", "retry", "stop.broken"]),
        ("warning", ["retry", "stop.broken"]),
        ("error", ["stop.broken"]),
    ],
)
def test_lines_below_the_level_are_not_logged(level: str, events: list[str]) -> None:
    assert [line["event"] for line in lines(level)] == events


def test_a_traceback_is_part_of_its_line() -> None:
    (line,) = lines("error")
    assert "ZeroDivisionError" in line["exception"]
    assert line["level"] == "error"


def test_a_terminal_gets_readable_lines() -> None:
    reading, writing = pty.openpty()
    program = [sys.executable, "-c", PROGRAM.format(level="info")]
    with subprocess.Popen(program, cwd=REPOSITORY, stderr=writing) as run:
        os.close(writing)
        output = b""
        try:
            while more := os.read(reading, 65536):
                output += more
        except OSError:
            pass  # a pseudo-terminal raises this when its other end is closed
        assert run.wait() == 0
    os.close(reading)
    assert b"batch.done" in output
    assert not output.lstrip().startswith(b"{")
