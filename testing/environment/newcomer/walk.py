"""README's commands, run one after the other, and the output that README promises of each."""

from __future__ import annotations

import re
import time
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from testing.docs.markdown import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.environment.newcomer.machine import Machine


_COMMENT = re.compile(r"\s+# .*$")
EXPECTED_OUTPUT = {
    "make demo": r"([\d,]+) generated, \1 committed, 0 lost, 0 doubled, 0 altered",
    "export ARCHIVE_ROOT=.demo/latest/archive": r"^$",
    'make archive ARGS="status"': r"(?s)archive [0-9a-f]{16}.*posts.*likes.*all.*gaps.*writer.*disk",
    'make archive ARGS="verify"': r"all as written, each event once",
    "make archive ARGS=\"sql 'SELECT langs[1] AS language, count(*) AS posts FROM posts "
    "GROUP BY ALL ORDER BY posts DESC LIMIT 5'\"": r"(?s)language +posts.*en +\d",
    "unset ARCHIVE_ROOT": r"^$",
    "make secrets": r"grafana_admin",
}
"""Commands of README that are run, with a pattern of the output that README promises."""
MOST_LINES = 30


class Reason(StrEnum):
    """Why a command is not run."""

    TESTS = "it is `make test` itself"
    IMAGES = "it needs the real images"
    GITHUB = "it needs GitHub"
    HETZNER = "it needs an account at Hetzner"
    PUBLIC_HOSTS = "it reads the public hosts"


NOT_RUN = {
    "make test": Reason.TESTS,
    "make run": Reason.PUBLIC_HOSTS,
    "docker compose up --build --wait": Reason.IMAGES,
    "curl http://127.0.0.1:9103/healthz": Reason.IMAGES,
    "docker compose exec data_writer archive status": Reason.IMAGES,
    "docker compose down": Reason.IMAGES,
}
"""Commands of README that are not run. The list may only grow shorter."""


def commands(readme: str) -> Iterator[str]:
    """Yield the commands of README's `sh` blocks in order, without comments."""
    for block in blocks(readme, "sh"):
        for line in block.code.splitlines():
            command = _COMMENT.sub("", line).strip()
            if command:
                yield command


class Step(NamedTuple):
    """One command that was run."""

    command: str
    code: int
    output: str
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether it succeeded and its output matches README's promise."""
        return self.code == 0 and re.search(EXPECTED_OUTPUT[self.command], self.output) is not None

    def __str__(self) -> str:
        """Return it for the transcript, without the middle of long outputs."""
        lines = self.output.splitlines()
        if len(lines) > MOST_LINES:
            half = MOST_LINES // 2
            lines = [*lines[:half], f"… {len(lines) - 2 * half} lines …", *lines[-half:]]
        shown = "\n".join(lines)
        return f"$ {self.command}\n{shown}\n[exit code {self.code}, {self.seconds:.0f} s]\n"


def walk(readme: str, machine: Machine) -> Iterator[Step]:
    """Run every command that can run there; yields each when it has ended."""
    for command in commands(readme):
        if command not in NOT_RUN:
            assert command in EXPECTED_OUTPUT, f"{command}: neither in EXPECTED_OUTPUT nor in NOT_RUN"
            began = time.monotonic()
            code, output = machine.type(command)
            yield Step(command, code, output, time.monotonic() - began)
