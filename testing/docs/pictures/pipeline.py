"""The dashboard Pipeline of a demo stack of its own, drawn from its Prometheus after some minutes."""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from pathlib import Path
from threading import Event

from services.monitoring.dashboards.pages import PAGES
from testing.harness.stack import BASE, METRICS, PIPELINE, Stack
from testing.monitoring.panels.answers import ask
from testing.monitoring.panels.draw import draw
from testing.monitoring.prometheus import Prometheus

MINUTES = 6
SETTINGS = {"DEMO_RATE": "200", "WRITER_INTERVAL": "30"}
SHARES = 64
"""Of processor time, where others want some: a picture can wait."""


def write(path: Path, minutes: float) -> None:
    """Run the stack for so long, draw, and remove it. Needs Docker, and the images that the tests build."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        modest = folder / "shares.json"
        shares = {name: {"cpu_shares": SHARES} for name in (*PIPELINE, *METRICS)}
        modest.write_text(json.dumps({"services": shares}), encoding="utf-8")
        stack = Stack(
            f"newcomer-pictures-{secrets.token_hex(4)}",
            folder / "stack",
            SETTINGS,
            files=(BASE, str(modest)),
            profiles=("demo",),
        )
        try:
            stack.up(*PIPELINE, *METRICS)
            # Traffic has to pass: what is waited for is time itself.
            Event().wait(minutes * 60)
            end = time.time()
            page = PAGES[0]
            draw(page, ask(Prometheus(stack.url("PROMETHEUS_PORT")), page, end - minutes * 60, end), path)
        finally:
            stack.end()
