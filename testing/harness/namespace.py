"""A network namespace for a test, with its own ports and host names, invisible from outside."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from testing.harness import programs
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

LONGEST_SECONDS = 600
START_SECONDS = 20
HOLD = 'ip link set lo up && mount --bind "$1" /etc/hosts && echo up && exec sleep "$2"'


@dataclass
class Namespace:
    """Network and mount namespaces held by a process; programs started in them end with it."""

    folder: Path
    names: tuple[str, ...]
    """Host names that resolve to 127.0.0.1 in it."""
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @staticmethod
    def why_not() -> str:
        """Return why no namespace can be made on this machine; empty if one can."""
        if sys.platform != "linux":
            return "only Linux has network namespaces; on another system run the tests in a container"
        tried = programs.run("unshare", "-m", "-n", "true", check=False)
        return "" if tried.returncode == 0 else f"no network namespace: {tried.stderr.strip()}"

    def __enter__(self) -> Self:
        """Make the namespaces."""
        hosts = self.folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {' '.join(self.names)}\n", "utf-8")
        words = ["unshare", "-m", "-n", "--kill-child", "--fork", "sh", "-c", HOLD, "hold", str(hosts)]
        self._holder = subprocess.Popen([*words, str(LONGEST_SECONDS)], stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"up\n", "the namespace was not made"
        children = f"/proc/{self._holder.pid}/task/{self._holder.pid}/children"
        with open(children, encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel
            self._inside = file.read().split()[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        self._holder.kill()
        self._holder.wait()
        if self._holder.stdout is not None:
            self._holder.stdout.close()

    def start(self, words: list[str], env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program in it; its output goes to `log`."""
        process = programs.start(*self._enter(), *words, log=log, env=env)
        self._started.append(process)
        return process

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        return programs.run(*self._enter(), *words, check=False, seconds=60)

    def wait_port(self, port: int) -> None:
        """Wait until something listens there."""
        probe = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2).close()"
        words = (sys.executable, "-c", probe)
        wait_for(lambda: self.run(*words).returncode == 0, START_SECONDS, f"port {port} to answer")

    def _enter(self) -> list[str]:
        return ["nsenter", "-t", self._inside, "-m", "-n", "--"]
