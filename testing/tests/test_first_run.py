"""Commands as a user runs them: help, how long they take, and a clean end with Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.programs import INTERRUPTED, run

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def test_help_lists_every_command_and_begins_with_the_demo() -> None:
    # Under another make (`make test`), make prints the folders that it enters.
    printed = run("make", "--no-print-directory", "help", cwd=REPOSITORY).stdout
    (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    commands = phony.replace("\\", " ").split()
    listed = dict(re.findall(r"^([a-z]+) +(\S.*)$", printed, re.MULTILINE))
    assert set(commands) == set(listed)
    assert printed.startswith("New here? make demo")


def test_an_old_python_is_refused_with_the_remedy() -> None:
    (asked,) = re.findall(r"\$\(PYTHON\) -c '(.*?)'", MAKEFILE)
    assert "(3, 11)" in asked
    assert "name a newer one: make PYTHON=" in MAKEFILE


@pytest.mark.parametrize("program", ["testing.proof.model", "testing.proof.mutants"])
def test_long_programs_print_their_duration_and_end_cleanly_with_ctrl_c(program: str) -> None:
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
