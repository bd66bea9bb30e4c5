"""The newcomer's machine: a container with Python, venv, make and git, a clone, and a shell to type in."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from testing.environment.images import derived
from testing.environment.newcomer.pip_settings import pip_settings
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from types import TracebackType

IMAGE = "standin-newcomer:trixie"
RECIPE = Path(__file__).parent / "machine_image"
LABEL = "bluesky-archive=test"
HOME = "/home/newcomer"
WHO = ("-c", "user.name=newcomer", "-c", "user.email=newcomer@localhost")


class Answer(NamedTuple):
    """What a command said, and how it ended."""

    code: int
    said: str


@dataclass
class Machine:
    """One container; gone, with all that it holds, at the end of its `with`."""

    name: str = field(default_factory=lambda: f"newcomer-{secrets.token_hex(4)}")
    _shell: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start it and clone into it."""
        derived.build(IMAGE, RECIPE)
        settings = pip_settings()
        _done(
            *("docker", "run", "--detach", "--rm", f"--name={self.name}", f"--label={LABEL}"),
            *("--init", "--cpu-shares=64", *settings.docker_words(), IMAGE),
            env={**os.environ, **settings.environment},
        )
        try:
            self._clone()
            self._shell = subprocess.Popen(
                ["docker", "exec", "--interactive", self.name, "sh"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert self.type(f"git clone --quiet {HOME}/origin.bundle bluesky-archive").code == 0
            assert self.type("cd bluesky-archive").code == 0
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove it."""
        self._end()

    def type(self, command: str) -> Answer:
        """Type a command into the one shell, so that what is exported stays; returns when it has ended."""
        shell, mark = self._shell, secrets.token_hex(8)
        assert shell is not None
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(f"{command} </dev/null\nprintf '\\n{mark} %d\\n' $?\n")
        shell.stdin.flush()
        said: list[str] = []
        for line in shell.stdout:
            if line.startswith(mark):
                return Answer(int(line.split()[1]), "".join(said).strip())
            said.append(line)
        raise AssertionError(f"the shell ended at: {command}\n{''.join(said)}")

    def _clone(self) -> None:
        """Bring a repository whose one commit is this tree as it stands, without what is ignored."""
        with tempfile.TemporaryDirectory() as folder:
            repository, bundle = Path(folder) / "origin.git", Path(folder) / "origin.bundle"
            git = ("git", f"--git-dir={repository}", f"--work-tree={REPOSITORY}", *WHO)
            _done("git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository))
            _done(*git, "config", "core.bare", "false")
            _done(*git, "add", "--all", cwd=REPOSITORY)
            _done(*git, "commit", "--quiet", "--no-verify", "--message=The tree as it stands")
            _done(*git, "bundle", "create", "--quiet", str(bundle), "HEAD", "main")
            bundle.chmod(0o644)
            _done("docker", "cp", "--quiet", str(bundle), f"{self.name}:{HOME}/origin.bundle")

    def _end(self) -> None:
        subprocess.run(["docker", "rm", "--force", self.name], check=False, capture_output=True)
        if self._shell is not None:
            with self._shell as shell:
                shell.kill()


def _done(*words: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=cwd, env=env)
    assert done.returncode == 0, f"{words[0]} {words[1]} failed:\n{done.stdout}{done.stderr}"
