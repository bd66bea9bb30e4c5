"""The packed deploy agent as the host runs it: one file, without the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.main import ORIGINAL_COMMAND
from deployment.deploy_agent.main import main as agent_main
from deployment.deploy_agent.orders import NOT_AN_ORDER, REFUSED
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


def _run(program: Path, command: str | None, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", **({} if command is None else {"SSH_ORIGINAL_COMMAND": command})}
    return subprocess.run(
        [sys.executable, "-I", str(program), *words], check=False, env=env, capture_output=True, text=True
    )


def test_it_needs_nothing_but_python(program: Path) -> None:
    done = _run(program, f"status {SHA}")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("live: ")


@pytest.mark.parametrize("command", ["", "id", f"deploy {SHA}; id", f"work me deploy {SHA} /tmp/log"])
def test_any_other_command_does_nothing(program: Path, command: str) -> None:
    done = _run(program, command)
    assert (done.returncode, done.stdout) == (NOT_AN_ORDER, "")
    assert "the deploy agent takes: deploy|rollback|status" in done.stderr


def test_the_command_of_ssh_overrides_the_command_line(program: Path) -> None:
    assert _run(program, "id", "work", "me", "deploy", SHA, "/tmp/log").returncode == NOT_AN_ORDER  # noqa: S108 - never opened


def test_the_same_source_gives_the_same_bytes() -> None:
    assert deploy_agent() == deploy_agent()
    assert b"docstring" not in deploy_agent().lower()


def test_an_order_runs_once_and_its_refusal_is_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """On a host without settings: from the order to the log, the exit code and the audit line."""
    root = tmp_path / "host"
    program = tmp_path / "program.py"
    program.write_text(
        f"import os, sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pathlib import Path; from deployment.deploy_agent.layout import Layout\n"
        "from deployment.deploy_agent.main import main\n"
        f"sys.exit(main(sys.argv, os.environ, Layout(Path({str(root)!r}))))\n"
    )
    command = f"deploy {SHA}"
    monkeypatch.setenv(ORIGINAL_COMMAND, command)
    code = agent_main(
        [str(program)], {ORIGINAL_COMMAND: command, "SSH_CLIENT": "192.0.2.7 1 2"}, Layout(root)
    )
    log = capfdbinary.readouterr().out.decode()
    assert code == REFUSED, log
    assert log.count("refused, nothing changed") == 1
    assert "has no IMAGE_PREFIX" in log
    (text,) = Layout(root).audit.read_text("utf-8").splitlines()
    line = json.loads(text)
    assert (line["verb"], line["sha"], line["by"], line["result"]) == ("deploy", SHA, "192.0.2.7", "refused")
    assert len(list(Layout(root).logs.glob("*.log"))) == 1
    assert [path.name for path in Layout(root).run.iterdir()] == ["deploy.lock"]
