"""How a test of a running pipeline ends: its traffic to the last event, and everything there once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.harness.truth import truth_of
from testing.proof.audit import audit

if TYPE_CHECKING:
    from pathlib import Path

    from testing.harness.pipeline import Pipeline


def ends_whole(running: Pipeline, events: int, seconds: float) -> None:
    """Wait for the end of the traffic, stop the daemons, and audit; nothing may be left over in staging."""
    running.wait_pushed(events, seconds)
    running.wait_committed(seconds)
    running.writer.wait_healthy()
    for daemon in (running.ingester, running.writer):
        assert daemon.stop() == 0, f"see {daemon.log}"
    verdict = audit(running.root, truth_of(*running.hosts))
    assert verdict.passed, str(verdict)
    assert sum(one.truth for one in verdict.streams.values()) == events
    assert verdict.uncompared["gaps"] == 1, "only the archive's start"
    assert staged(running.root) == []


def staged(root: Path) -> list[Path]:
    """Return the files that a writer has begun and not committed."""
    return [path for path in (root / ".staging").rglob("*") if path.is_file()]
