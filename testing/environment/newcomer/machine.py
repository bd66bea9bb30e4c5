"""A bare container with Python, venv, make and git, a clone, and this machine's pip settings.

The settings are passed when the container starts and are not written to disk.
"""

from __future__ import annotations

import ast
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from testing.environment.images import derived
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import LABEL, docker, run

if TYPE_CHECKING:
    from types import TracebackType


IMAGE = "standin-newcomer:trixie"
RECIPE = Path(__file__).parent / "machine_image"
HOME = "/home/newcomer"
WHO = ("-c", "user.name=newcomer", "-c", "user.email=newcomer@localhost")
FILE = "file://"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class CommandResult(NamedTuple):
    """Exit code and output of a command."""

    code: int
    output: str


@dataclass
class Machine:
    """One container, removed at the end of its `with`."""

    name: str = field(default_factory=lambda: f"newcomer-{secrets.token_hex(4)}")
    _shell: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Start it, with a clone of this repository."""
        derived.build(IMAGE, RECIPE)
        settings = pip_settings()
        run(
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

    def type(self, command: str) -> CommandResult:
        """Run a command to its end, in the one shell of all commands, so that exported variables stay."""
        shell, mark = self._shell, secrets.token_hex(8)
        assert shell is not None
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(f"{command} </dev/null\nprintf '\\n{mark} %d\\n' $?\n")
        shell.stdin.flush()
        lines: list[str] = []
        for line in shell.stdout:
            if line.startswith(mark):
                return CommandResult(int(line.split()[1]), "".join(lines).strip())
            lines.append(line)
        raise AssertionError(f"the shell ended at: {command}\n{''.join(lines)}")

    def _clone(self) -> None:
        """Copy a repository with one commit of this working tree, without ignored files."""
        with tempfile.TemporaryDirectory() as folder:
            repository, bundle = Path(folder) / "origin.git", Path(folder) / "origin.bundle"
            git = ("git", f"--git-dir={repository}", f"--work-tree={REPOSITORY}", *WHO)
            run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(repository))
            run(*git, "config", "core.bare", "false")
            run(*git, "add", "--all", cwd=REPOSITORY)
            run(*git, "commit", "--quiet", "--no-verify", "--message=The tree as it stands")
            run(*git, "bundle", "create", "--quiet", str(bundle), "HEAD", "main")
            bundle.chmod(0o644)
            run("docker", "cp", "--quiet", str(bundle), f"{self.name}:{HOME}/origin.bundle")

    def _end(self) -> None:
        docker("rm", "--force", self.name, check=False)
        if self._shell is not None:
            with self._shell as shell:
                shell.kill()


class PipSettings(NamedTuple):
    """pip's settings on this machine."""

    environment: dict[str, str]
    paths: tuple[Path, ...]
    """Files and folders named in the values."""

    def docker_words(self) -> list[str]:
        """Return options of `docker run`; the values are passed in its environment."""
        mounts = [f"--volume={path.resolve()}:{path}:ro" for path in self.paths]
        return [*(f"--env={name}" for name in self.environment), *mounts]


def pip_settings() -> PipSettings:
    """Return the settings of this machine's pip."""
    listed = run(sys.executable, "-m", "pip", "config", "list")
    environment = {name: os.environ[name] for name in PROXIES if name in os.environ}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        # `global.index-url`, `:env:.cert`: the option is the part after the last dot.
        section, _, option = name.rpartition(".")
        if section in ("global", "install", ":env:"):
            environment["PIP_" + option.upper().replace("-", "_")] = str(ast.literal_eval(value))
    return PipSettings(environment, tuple(sorted(_paths(environment.values()))))


def _paths(values: object) -> set[Path]:
    """Return the paths in the values that exist; for an index in a folder, the folder's parent."""
    found = set()
    for word in " ".join(map(str, values)).split():  # type: ignore[call-overload]
        path = Path(word.removeprefix(FILE))
        if path.is_absolute() and path.exists():
            found.add(path.parent if word.startswith(FILE) else path)
    return found
