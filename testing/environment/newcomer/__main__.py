"""Show the newcomer's transcript; the last line says whether README kept its word."""

from __future__ import annotations

import sys

from testing.environment.newcomer.machine import Machine
from testing.environment.newcomer.walk import walk
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import as_program


def main(_words: list[str]) -> int:
    """Walk; returns 1 where a command failed or did not say what was promised."""
    print("A bare container, a clean clone, README's commands: about four minutes, most of them pip's.")
    broken = []
    with Machine() as machine:
        for step in walk((REPOSITORY / "README.md").read_text(encoding="utf-8"), machine):
            print(step, flush=True)
            if not step.holds:
                broken.append(step.command)
    print(f"README broke its word: {', '.join(broken)}" if broken else "README kept its word.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(as_program(main))
