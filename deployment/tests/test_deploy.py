"""Orders over SSH: the log, the exit codes, and one sentence for each failure of ssh."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deployment import deploy
from deployment.commands import ssh
from deployment.deploy import SSH_ERRORS, DeploySettingsError, load, main, ssh_error
from deployment.deploy_agent.orders import BUSY, REFUSED
from testing.harness.redis import free_port

if TYPE_CHECKING:
    from pathlib import Path

SHA = "a" * 40
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"
SSH = """#!{python}
import sys
from pathlib import Path
calls = Path(sys.argv[0]).with_name("calls")
order = sys.argv[-1]
key = Path(sys.argv[sys.argv.index("-i") + 1])
assert key.read_text().startswith("-----BEGIN"), "no key"
assert key.stat().st_mode & 0o077 == 0, "anybody can read the key"
answers = Path(sys.argv[0]).with_name("answers").read_text().splitlines()
number = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as file:
    print(order, file=file)
text, code = answers[number].rsplit("|", 1)
print(text)
sys.exit(int(code))
"""


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an ssh on the path that prints, call for call, the lines of `answers`: text|exit code."""
    program = tmp_path / "ssh"
    program.write_text(SSH.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DEPLOY_HOST", "archive.example.org")
    monkeypatch.setenv("DEPLOY_KEY", KEY)
    monkeypatch.setenv("DEPLOY_KNOWN_HOSTS", "archive.example.org ssh-ed25519 AAAA")
    return tmp_path


def _answers(folder: Path, *lines: str) -> None:
    (folder / "answers").write_text("\n".join(lines))


@pytest.mark.parametrize("code", [0, 1, 2, 64, 65, 70, 75])
def test_the_exit_code_of_the_deploy_agent_is_returned(
    fake_ssh: Path, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    _answers(fake_ssh, f"live|{code}")
    assert main([SHA]) == code
    assert capfd.readouterr().out == "live\n"
    assert (fake_ssh / "calls").read_text() == f"deploy {SHA}\n"


def test_a_rollback_sends_the_other_verb(fake_ssh: Path) -> None:
    _answers(fake_ssh, "live|0")
    assert main(["--rollback", SHA]) == 0
    assert (fake_ssh / "calls").read_text() == f"rollback {SHA}\n"


@pytest.mark.parametrize(("sign", "sentence"), SSH_ERRORS, ids=[sign for sign, _ in SSH_ERRORS])
def test_each_failure_of_ssh_has_its_sentence(
    fake_ssh: Path, sign: str, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    _answers(fake_ssh, f"ssh: {sign}|255")
    assert main([SHA]) == REFUSED
    assert capfd.readouterr().out.splitlines()[-1] == f"nothing was deployed: {sentence}"
    assert ssh_error(f"x\n{sign}\n") == sentence


def test_after_a_lost_connection_the_outcome_is_requested(
    fake_ssh: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploy, "POLL_SECONDS", 0.0)
    _answers(fake_ssh, "switching|255", f"under way|{BUSY}", "|255", "live|0")
    assert main([SHA]) == 0
    assert (fake_ssh / "calls").read_text().splitlines() == [f"deploy {SHA}", *[f"status {SHA}"] * 3]
    assert "the connection was lost" in capfd.readouterr().out


def test_the_key_is_masked_in_every_line(fake_ssh: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _answers(fake_ssh, f"it was {KEY.splitlines()[1]}|0")
    assert main([SHA]) == 0
    assert capfd.readouterr().out == "it was ***\n"


@pytest.mark.parametrize("words", [[], ["--rollback"], ["main"], [SHA[:12]], [SHA, SHA], [f"{SHA}; id"]])
def test_only_a_full_commit_id_is_accepted(fake_ssh: Path, words: list[str]) -> None:
    _answers(fake_ssh, "live|0")
    assert main(words) == REFUSED
    assert not (fake_ssh / "calls").exists()


def test_missing_settings_are_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("DEPLOY_HOST", "DEPLOY_KEY", "DEPLOY_KNOWN_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    assert main([SHA]) == REFUSED
    error = capfd.readouterr().err
    assert "DEPLOY_HOST, DEPLOY_KEY, DEPLOY_KNOWN_HOSTS: missing" in error
    assert "environment `production`" in error


def test_a_misspelt_name_is_refused(fake_ssh: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - settings
    monkeypatch.setenv("DEPLOY_HOTS", "archive.example.org")
    with pytest.raises(DeploySettingsError, match="DEPLOY_HOTS: no such setting"):
        load()


def test_ssh_trusts_only_the_key_it_was_given(tmp_path: Path) -> None:
    words = ssh("archive.example.org", 22, "deploy", tmp_path, f"deploy {SHA}")
    for option in (
        "StrictHostKeyChecking=yes",
        "ConnectTimeout=10",
        "ServerAliveInterval=15",
        "BatchMode=yes",
    ):
        assert option in words
    assert f"UserKnownHostsFile={tmp_path / 'known_hosts'}" in words
    assert words[-2:] == ["deploy@archive.example.org", f"deploy {SHA}"]
    # Real ssh accepts these options: -G prints its configuration and does not connect.
    shown = subprocess.run(["ssh", "-G", *words[1:]], check=False, capture_output=True, text=True)
    assert "stricthostkeychecking true" in shown.stdout


def test_an_unreadable_key_is_reported_instead_of_the_refusal_that_follows() -> None:
    stderr = 'Load key "/tmp/key": error in libcrypto\ndeploy@archive: Permission denied (publickey).\n'
    assert "is no private key" in str(ssh_error(stderr))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"DEPLOY_HOST": "127.0.0.1", "DEPLOY_PORT": str(free_port())}, "nothing listens on DEPLOY_HOST"),
        ({"DEPLOY_HOST": "nowhere.invalid"}, "DEPLOY_HOST has no address"),
    ],
)
def test_real_ssh_prints_the_errors_that_are_recognized(
    changed: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    given = {"DEPLOY_KEY": KEY, "DEPLOY_KNOWN_HOSTS": "archive.example.org ssh-ed25519 AAAA"}
    for name, value in {**given, **changed}.items():
        monkeypatch.setenv(name, value)
    assert main([SHA]) == REFUSED
    assert sentence in capfd.readouterr().out
