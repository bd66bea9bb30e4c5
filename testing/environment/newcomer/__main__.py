"""Run README's commands in a bare container and print a transcript; the last line is the result."""

from __future__ import annotations

import sys

from testing.environment.newcomer.machine import Machine
from testing.environment.newcomer.walk import walk
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import as_program


def main(_words: list[str]) -> int:
    """Run the commands; returns 1 if one failed or its output does not match README."""
    print(
        "Runs README's commands in a bare container with a clean clone; about four minutes, mostly for pip."
    )
    failed = []
    with Machine() as machine:
        for step in walk((REPOSITORY / "README.md").read_text(encoding="utf-8"), machine):
            print(step, flush=True)
            if not step.holds:
                failed.append(step.command)
    print(f"README is wrong about: {', '.join(failed)}" if failed else "Every command of README works.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(as_program(main))
