"""Deploy a commit whose release is in the registry: `python -m deployment.deploy [--rollback] SHA`.

Settings are DEPLOY_*. The deploy agent on the host does the work; this program sends the order over SSH,
prints the host's log and exits with the agent's exit code. A lost connection does not stop the host: the
outcome is then requested until it is known.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deployment.commands import ssh
from deployment.deploy_agent.orders import BUSY, REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    Output = Callable[[str], None]

PREFIX = "DEPLOY_"
ROLLBACK = "--rollback"
SSH_FAILED = 255
"""Exit code of ssh itself."""
POLL_SECONDS = 10.0
OUTCOME_SECONDS = 720.0
MASK = "***"
KEY_UNREADABLE = "DEPLOY_KEY is no private key: copy the whole file, with its last line break"
SSH_ERRORS = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        (
            "the host's key is not the one in DEPLOY_KNOWN_HOSTS: if the host was replaced, put the line "
            "that provision printed there; if not, another machine may have answered, and nothing was sent"
        ),
    ),
    (
        "Host key verification failed",
        "DEPLOY_KNOWN_HOSTS has no key of this host: put the line that provision printed there",
    ),
    # Before the refusal: ssh goes on without a key that it cannot read, and is then refused.
    ("invalid format", KEY_UNREADABLE),
    ("error in libcrypto", KEY_UNREADABLE),
    (
        "Permission denied",
        "the host does not accept DEPLOY_KEY: put the key that provision made there, or renew both",
    ),
    ("Could not resolve hostname", "DEPLOY_HOST has no address: correct its DNS record, or the name"),
    ("Connection refused", "nothing listens on DEPLOY_HOST: is the machine up, and is this its address?"),
    ("timed out", "DEPLOY_HOST does not answer: is the machine up, and does its firewall let us in?"),
    ("No route to host", "DEPLOY_HOST cannot be reached: is the machine up?"),
)
"""Part of ssh's error output, and one sentence with the remedy. The first that matches counts."""


class DeploySettings(BaseSettings):
    """Every DEPLOY_* setting."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    deploy_host: str = Field(description="Name or address of the host.")
    deploy_port: int = Field(default=22, ge=1, le=65535, description="Port of its sshd.")
    deploy_user: str = Field(default="deploy", description="The user whose key runs the deploy agent.")
    deploy_key: SecretStr = Field(description="The private key of that user, the whole file.")
    deploy_known_hosts: str = Field(
        description="Lines of known_hosts for the host, as provision printed them."
    )


class DeploySettingsError(Exception):
    """Settings that cannot be used; the message names each of them and the remedy."""


def main(words: list[str]) -> int:
    """Send the order; returns the deploy agent's exit code, or 65 where it was not reached."""
    verb = "rollback" if words[:1] == [ROLLBACK] else "deploy"
    commits = words[1:] if verb == "rollback" else words
    if len(commits) != 1 or re.fullmatch("[0-9a-f]{40}", commits[0]) is None:
        print(f"usage: python -m deployment.deploy [{ROLLBACK}] COMMIT (all 40 digits)", file=sys.stderr)  # noqa: T201 - a usage error
        return REFUSED
    try:
        settings = load()
    except DeploySettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the reason
        return REFUSED
    return send_order(settings, verb, commits[0], _masked_output(settings))


def load() -> DeploySettings:
    """Parse the environment; raises DeploySettingsError, also for an unknown DEPLOY_* name."""
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and name.lower() not in DeploySettings.model_fields
    )
    if unknown:
        raise DeploySettingsError(f"{', '.join(unknown)}: no such setting")
    try:
        return DeploySettings()  # type: ignore[call-arg] # pydantic reads them from the environment
    except ValidationError as error:
        names = ", ".join(str(one["loc"][0]).upper() for one in error.errors())
        raise DeploySettingsError(
            f"{names}: missing or unusable; set it in the repository's environment `production`"
        ) from error


def send_order(settings: DeploySettings, verb: str, sha: str, output: Output) -> int:
    """Send one order over SSH and follow it to its end; returns its exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "key", settings.deploy_key.get_secret_value())
        _write(folder / "known_hosts", settings.deploy_known_hosts)
        lines, code = _call(settings, folder, f"{verb} {sha}", output)
        if code != SSH_FAILED:
            return code
        reason = ssh_error("\n".join(lines))
        if reason is not None:
            output(f"nothing was deployed: {reason}")
            return REFUSED
        output("the connection was lost; the host goes on, and its outcome is requested")
        return _outcome(settings, folder, sha, output)


def ssh_error(stderr: str) -> str | None:
    """Return one sentence for an error before the connection stood, or None for one that is not known."""
    return next((sentence for sign, sentence in SSH_ERRORS if sign in stderr), None)


def _outcome(settings: DeploySettings, folder: Path, sha: str, output: Output) -> int:
    """Request the status until no order is under way; returns its exit code."""
    deadline = time.monotonic() + OUTCOME_SECONDS
    while True:
        _, code = _call(settings, folder, f"status {sha}", output)
        if code not in (BUSY, SSH_FAILED):
            return code
        if time.monotonic() > deadline:
            output(f"no outcome within {OUTCOME_SECONDS / 60:.0f} minutes; look at the host")
            return code
        time.sleep(POLL_SECONDS)


def _call(settings: DeploySettings, folder: Path, order: str, output: Output) -> tuple[list[str], int]:
    words = ssh(settings.deploy_host, settings.deploy_port, settings.deploy_user, folder, order)
    lines = []
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip("\n"))
            output(lines[-1])
    return lines, process.returncode


def _masked_output(settings: DeploySettings) -> Output:
    """Return a function that prints a line with every line of the key masked."""
    secret = [line for line in settings.deploy_key.get_secret_value().splitlines() if line.strip()]

    def output(line: str) -> None:
        for part in secret:
            line = line.replace(part, MASK)
        print(line, flush=True)  # noqa: T201 - the host's log

    return output


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text if text.endswith("\n") else f"{text}\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
