"""The runner's side: orders over ssh, its log, its exit codes, and what went wrong in one sentence."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deployment import deploy
from deployment.commands import ssh
from deployment.deploy import main
from deployment.deploy_agent.orders import BUSY, REFUSED
from deployment.deploy_settings import DeploySettingsError, load
from deployment.ssh_failure import MEANS, meaning
from testing.harness.redis import free_port

if TYPE_CHECKING:
    from pathlib import Path

SHA = "a" * 40
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"
SSH = """#!{python}
import sys
from pathlib import Path
calls = Path(sys.argv[0]).with_name("calls")
asked = sys.argv[-1]
key = Path(sys.argv[sys.argv.index("-i") + 1])
assert key.read_text().startswith("-----BEGIN"), "no key"
assert key.stat().st_mode & 0o077 == 0, "anybody can read the key"
answers = Path(sys.argv[0]).with_name("answers").read_text().splitlines()
number = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as file:
    print(asked, file=file)
said, code = answers[number].rsplit("|", 1)
print(said)
sys.exit(int(code))
"""


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an ssh on the path that says, call for call, the lines of `answers`: words|exit code."""
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
def test_the_gates_exit_code_is_ours(fake_ssh: Path, code: int, capfd: pytest.CaptureFixture[str]) -> None:
    _answers(fake_ssh, f"live|{code}")
    assert main([SHA]) == code
    assert capfd.readouterr().out == "live\n"
    assert (fake_ssh / "calls").read_text() == f"deploy {SHA}\n"


def test_a_rollback_is_the_other_verb(fake_ssh: Path) -> None:
    _answers(fake_ssh, "live|0")
    assert main([SHA], verb="rollback") == 0
    assert (fake_ssh / "calls").read_text() == f"rollback {SHA}\n"


@pytest.mark.parametrize(("sign", "sentence"), MEANS, ids=[sign for sign, _ in MEANS])
def test_each_failure_of_ssh_has_its_sentence(
    fake_ssh: Path, sign: str, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    _answers(fake_ssh, f"ssh: {sign}|255")
    assert main([SHA]) == REFUSED
    assert capfd.readouterr().out.splitlines()[-1] == f"nothing was deployed: {sentence}"
    assert meaning(f"x\n{sign}\n") == sentence


def test_a_lost_connection_does_not_end_the_work(
    fake_ssh: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploy, "BETWEEN_SECONDS", 0.0)
    _answers(fake_ssh, "switching|255", f"under way|{BUSY}", "|255", "live|0")
    assert main([SHA]) == 0
    assert (fake_ssh / "calls").read_text().splitlines() == [f"deploy {SHA}", *[f"status {SHA}"] * 3]
    assert "the connection was lost" in capfd.readouterr().out


def test_the_key_is_in_no_line(fake_ssh: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _answers(fake_ssh, f"it was {KEY.splitlines()[1]}|0")
    assert main([SHA]) == 0
    assert capfd.readouterr().out == "it was ***\n"


@pytest.mark.parametrize("words", [[], ["main"], [SHA[:12]], [SHA, SHA], [f"{SHA}; id"]])
def test_only_a_whole_commit_is_taken(fake_ssh: Path, words: list[str]) -> None:
    _answers(fake_ssh, "live|0")
    assert main(words) == REFUSED
    assert not (fake_ssh / "calls").exists()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("DEPLOY_HOST", "DEPLOY_KEY", "DEPLOY_KNOWN_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    assert main([SHA]) == REFUSED
    said = capfd.readouterr().err
    assert "DEPLOY_HOST, DEPLOY_KEY, DEPLOY_KNOWN_HOSTS: missing" in said
    assert "environment `production`" in said


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
    # The real ssh takes these words: -G shows what it makes of them, and connects to nobody.
    shown = subprocess.run(["ssh", "-G", *words[1:]], check=False, capture_output=True, text=True)
    assert "stricthostkeychecking true" in shown.stdout


def test_a_key_that_cannot_be_read_is_told_before_the_refusal_that_follows() -> None:
    said = 'Load key "/tmp/key": error in libcrypto\ndeploy@archive: Permission denied (publickey).\n'
    assert "is no private key" in str(meaning(said))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"DEPLOY_HOST": "127.0.0.1", "DEPLOY_PORT": str(free_port())}, "nothing listens on DEPLOY_HOST"),
        ({"DEPLOY_HOST": "nowhere.invalid"}, "DEPLOY_HOST has no address"),
    ],
)
def test_the_real_ssh_says_what_we_look_for(
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
