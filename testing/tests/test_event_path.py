"""services/README lists the files that one event passes through; a profiler finds the same ones."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from testing.harness.daemons import REPOSITORY
from testing.harness.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

EVENTS = 100
MOST_FILES = 20


def listed() -> set[str]:
    """Return the files in README's chapter on the path of an event."""
    text = (REPOSITORY / "services" / "README.md").read_text(encoding="utf-8")
    chapter = text.split("## The path of one event")[1].split("\n## ")[0]
    return {f"services/{path}" for path in re.findall(r"\]\(([a-z_/]+\.py)\)", chapter)}


def test_an_event_passes_through_the_listed_files(pipeline: Callable[..., Pipeline], tmp_path: Path) -> None:
    host = Host({"rate": "1000", "events": str(EVENTS)})
    running = pipeline(host)
    outs = {name: tmp_path / f"{name}.json" for name in ("ingester", "writer")}
    for name, out in outs.items():
        getattr(running, name).starter = ("testing.docs.event_path", str(out))
    running.start()
    running.wait_pushed(EVENTS, 60)
    running.wait_committed(60)
    assert running.ingester.stop() == 0
    assert running.writer.stop() == 0
    passed = {file for out in outs.values() for file in json.loads(out.read_text(encoding="utf-8"))}
    assert passed == listed()
    assert len(passed) <= MOST_FILES
