"""Replaces the deploy agent by the one that a release brings, once that one answers."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from deployment.deploy_agent.errors import BUSY, DONE
from deployment.deploy_agent.release import AGENT, Release

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout

ANSWER_SECONDS = 30


def renew(layout: Layout, release: Release) -> bool:
    """Return whether the release's agent replaced this one; one that cannot report its status never does."""
    brought, installed = release.folder / AGENT, layout.program
    if not brought.exists() or (installed.exists() and brought.read_bytes() == installed.read_bytes()):
        return False
    asked = subprocess.run(
        [sys.executable, "-I", str(brought), "status", release.sha],
        check=False,
        capture_output=True,
        env={},
        timeout=ANSWER_SECONDS,
    )
    # Busy: the order that brought it is still under way.
    if asked.returncode not in (DONE, BUSY):
        return False
    installed.parent.mkdir(parents=True, exist_ok=True)
    staged = installed.with_name(f".{installed.name}.new")
    staged.write_bytes(brought.read_bytes())
    staged.chmod(0o755)
    staged.replace(installed)
    return True
