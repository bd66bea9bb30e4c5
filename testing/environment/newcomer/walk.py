"""The walk: README's commands, typed one after the other, and what each of them said."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from testing.environment.newcomer.commands import NOT_RUN, SAYS, commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.environment.newcomer.machine import Machine

MOST_LINES = 30


class Step(NamedTuple):
    """One command that was typed."""

    command: str
    code: int
    said: str
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether it ended well and said what README's text promises."""
        return self.code == 0 and re.search(SAYS[self.command], self.said) is not None

    def __str__(self) -> str:
        """Return it as a transcript shows it, the middle of long answers left out."""
        lines = self.said.splitlines()
        if len(lines) > MOST_LINES:
            half = MOST_LINES // 2
            lines = [*lines[:half], f"… {len(lines) - 2 * half} lines …", *lines[-half:]]
        told = "\n".join(lines)
        return f"$ {self.command}\n{told}\n[exit code {self.code}, {self.seconds:.0f} s]\n"


def walk(readme: str, machine: Machine) -> Iterator[Step]:
    """Type every command that can run there; yields each as it ends."""
    for command in commands(readme):
        if command not in NOT_RUN:
            assert command in SAYS, f"{command}: neither in SAYS nor in NOT_RUN"
            began = time.monotonic()
            code, said = machine.type(command)
            yield Step(command, code, said, time.monotonic() - began)
