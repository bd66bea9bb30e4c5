"""Log lines are for machines, unless a person looks on."""

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
    assert run.stdout == b"", "stdout belongs to the program's answers"
    return [json.loads(line) for line in run.stderr.decode().splitlines()]


def test_each_line_is_one_json_object_that_names_its_service() -> None:
    for line in lines("debug"):
        assert line["service"] == "example"
        assert line["version"] == VERSION
        assert line["timestamp"].endswith("Z"), "UTC, and it says so"


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["chunk.read", "batch.done", "retry", "stop.broken"]),
        ("info", ["batch.done", "retry", "stop.broken"]),
        ("warning", ["retry", "stop.broken"]),
        ("error", ["stop.broken"]),
    ],
)
def test_the_level_decides_what_is_said(level: str, events: list[str]) -> None:
    assert [line["event"] for line in lines(level)] == events


def test_a_traceback_stays_inside_its_line() -> None:
    (line,) = lines("error")
    assert "ZeroDivisionError" in line["exception"]
    assert line["level"] == "error"


def test_a_terminal_gets_readable_lines() -> None:
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", PROGRAM.format(level="info")]
    with subprocess.Popen(program, cwd=REPOSITORY, stderr=theirs) as run:
        os.close(theirs)
        said = b""
        try:
            while more := os.read(ours, 65536):
                said += more
        except OSError:
            pass  # how a pseudo-terminal says that the other end was closed
        assert run.wait() == 0
    os.close(ours)
    assert b"batch.done" in said
    assert not said.lstrip().startswith(b"{")
