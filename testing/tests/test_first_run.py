"""What somebody meets who types a command: what it does, how long it takes, a clean end at Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.programs import INTERRUPTED

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def test_help_lists_every_command_and_says_where_to_begin() -> None:
    # Run by a make itself (`make test`), a make says which folder it enters and leaves.
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=REPOSITORY, check=True, capture_output=True, text=True
    ).stdout
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    commands = phony.replace("\\", " ").split()
    listed = dict(re.findall(r"^([a-z]+) +(\S.*)$", said, re.MULTILINE))
    assert set(commands) == set(listed)
    assert said.startswith("New here? make demo")


def test_an_old_python_is_told_what_to_do() -> None:
    (asked,) = re.findall(r"\$\(PYTHON\) -c '(.*?)'", MAKEFILE)
    assert "(3, 11)" in asked
    assert "name a newer one: make PYTHON=" in MAKEFILE


@pytest.mark.parametrize("program", ["testing.proof.model", "testing.proof.mutants"])
def test_long_work_says_what_it_does_and_ends_cleanly_at_ctrl_c(program: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", program],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert "minutes" in first + rest
    assert "Interrupted" in rest
    assert "Traceback" not in rest
    assert process.returncode == INTERRUPTED
