"""Deploy a commit whose release is in the registry: `python -m deployment.deploy SHA`.

Settings are DEPLOY_*. The deploy agent on the host does the work. This side gives the order, shows the host's
log and exits with the agent's exit code. A lost connection does not end the work: the outcome is asked for.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.commands import ssh
from deployment.deploy_agent.orders import BUSY, REFUSED
from deployment.deploy_settings import DeploySettings, DeploySettingsError, load
from deployment.ssh_failure import meaning

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

SSHS_OWN = 255
BETWEEN_SECONDS = 10.0
ASK_FOR_SECONDS = 720.0
MASK = "***"


def main(words: list[str], verb: str = "deploy") -> int:
    """Give the order; returns the deploy agent's exit code, or 65 where it never came that far."""
    if len(words) != 1 or re.fullmatch("[0-9a-f]{40}", words[0]) is None:
        print(f"usage: python -m deployment.{verb} COMMIT (all 40 digits)", file=sys.stderr)  # noqa: T201 - for who asked
        return REFUSED
    try:
        settings = load()
    except DeploySettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as above
        return REFUSED
    return order(settings, verb, words[0], _printer(settings))


def order(settings: DeploySettings, verb: str, sha: str, say: Say) -> int:
    """Give one order over SSH and follow it to its end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "key", settings.deploy_key.get_secret_value())
        _write(folder / "known_hosts", settings.deploy_known_hosts)
        lines, code = _ask(settings, folder, f"{verb} {sha}", say)
        if code != SSHS_OWN:
            return code
        sentence = meaning("\n".join(lines))
        if sentence is not None:
            say(f"nothing was deployed: {sentence}")
            return REFUSED
        say("the connection was lost; the work goes on without it, and is asked for its outcome")
        return _outcome(settings, folder, sha, say)


def _outcome(settings: DeploySettings, folder: Path, sha: str, say: Say) -> int:
    """Ask for the status until nothing is under way any more."""
    deadline = time.monotonic() + ASK_FOR_SECONDS
    while True:
        _, code = _ask(settings, folder, f"status {sha}", say)
        if code not in (BUSY, SSHS_OWN):
            return code
        if time.monotonic() > deadline:
            say(f"no outcome within {ASK_FOR_SECONDS / 60:.0f} minutes; look at the host")
            return code
        time.sleep(BETWEEN_SECONDS)


def _ask(settings: DeploySettings, folder: Path, asked: str, say: Say) -> tuple[list[str], int]:
    words = ssh(settings.deploy_host, settings.deploy_port, settings.deploy_user, folder, asked)
    lines = []
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip("\n"))
            say(lines[-1])
    return lines, process.returncode


def _printer(settings: DeploySettings) -> Say:
    """Return what prints a line with nothing of the key in it."""
    secret = [line for line in settings.deploy_key.get_secret_value().splitlines() if line.strip()]

    def say(line: str) -> None:
        for part in secret:
            line = line.replace(part, MASK)
        print(line, flush=True)  # noqa: T201 - the host's log, for who waits

    return say


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text if text.endswith("\n") else f"{text}\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
