"""The packed deploy agent as the host runs it: a program of its own, with nothing of ours around it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deployment.deploy_agent.errors import NOT_AN_ORDER, REFUSED
from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.main import ASKED
from deployment.deploy_agent.main import main as gate_main
from deployment.pack_deploy_agent import deploy_agent, main
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

SHA = "a" * 40


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "deploy-agent"
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
    assert "the deploy agent takes: deploy|rollback|status" in said.stderr


def test_words_of_the_command_line_are_nothing_where_ssh_asked(program: Path) -> None:
    assert _ask(program, "id", "work", "me", "deploy", SHA, "/tmp/log").returncode == NOT_AN_ORDER  # noqa: S108 - never opened


def test_the_same_source_gives_the_same_bytes() -> None:
    assert deploy_agent() == deploy_agent()
    assert b"docstring" not in deploy_agent().lower()


def test_an_order_is_worked_on_once_and_its_refusal_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """On a host without settings: the whole way from the order to the log, the exit code and the audit."""
    root = tmp_path / "host"
    program = tmp_path / "program.py"
    program.write_text(
        f"import os, sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pathlib import Path; from deployment.deploy_agent.layout import Layout\n"
        "from deployment.deploy_agent.main import main\n"
        f"sys.exit(main(sys.argv, os.environ, Layout(Path({str(root)!r}))))\n"
    )
    asked = f"deploy {SHA}"
    monkeypatch.setenv(ASKED, asked)
    code = gate_main([str(program)], {ASKED: asked, "SSH_CLIENT": "192.0.2.7 1 2"}, Layout(root))
    said = capfdbinary.readouterr().out.decode()
    assert code == REFUSED, said
    assert said.count("refused, nothing changed") == 1
    assert "has no IMAGE_PREFIX" in said
    (line,) = Layout(root).audit.read_text("utf-8").splitlines()
    kept = json.loads(line)
    assert (kept["verb"], kept["sha"], kept["by"], kept["result"]) == ("deploy", SHA, "192.0.2.7", "refused")
    assert len(list(Layout(root).logs.glob("*.log"))) == 1
    assert [path.name for path in Layout(root).run.iterdir()] == ["deploy.lock"]
