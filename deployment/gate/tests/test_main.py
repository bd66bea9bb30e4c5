"""The packed gate as the host runs it: a program of its own, with nothing of ours around it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deployment.gate.errors import NOT_AN_ORDER
from deployment.pack_gate import gate, main

if TYPE_CHECKING:
    from pathlib import Path

SHA = "a" * 40


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "gate"
    assert main([str(path)]) == 0
    return path


def _ask(program: Path, asked: str | None, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", **({} if asked is None else {"SSH_ORIGINAL_COMMAND": asked})}
    return subprocess.run(
        [sys.executable, "-I", str(program), *words], check=False, env=env, capture_output=True, text=True
    )


def test_it_needs_nothing_but_python(program: Path) -> None:
    said = _ask(program, f"status {SHA}")
    assert (said.returncode, said.stderr) == (1, "")
    assert said.stdout.startswith("live: ")


@pytest.mark.parametrize("asked", ["", "id", f"deploy {SHA}; id", f"work me deploy {SHA} /tmp/log"])
def test_what_is_no_order_does_nothing(program: Path, asked: str) -> None:
    said = _ask(program, asked)
    assert (said.returncode, said.stdout) == (NOT_AN_ORDER, "")
    assert "the gate takes: deploy|rollback|status" in said.stderr


def test_words_of_the_command_line_are_nothing_where_ssh_asked(program: Path) -> None:
    assert _ask(program, "id", "work", "me", "deploy", SHA, "/tmp/log").returncode == NOT_AN_ORDER  # noqa: S108 - never opened


def test_the_same_source_gives_the_same_bytes() -> None:
    assert gate() == gate()
    assert b"docstring" not in gate().lower()
