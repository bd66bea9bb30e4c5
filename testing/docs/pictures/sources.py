"""Pictures from runs: a plot of a load test's report, and the Pipeline dashboard of a demo stack."""

from __future__ import annotations

import json
import re
import secrets
import tempfile
import time
from pathlib import Path
from threading import Event

from services.monitoring.dashboards.pages import PAGES
from testing.harness.daemons import REPOSITORY
from testing.harness.stack import BASE, METRICS, PIPELINE, Stack
from testing.monitoring.panels.answers import ask
from testing.monitoring.panels.draw import draw
from testing.monitoring.prometheus import Prometheus

REPORTS = REPOSITORY / ".load"
TITLE = "Events a second"
MINUTES = 6
SETTINGS = {"DEMO_RATE": "200", "WRITER_INTERVAL": "30"}
SHARES = 64
"""CPU shares of each container: low, so that other work on the machine goes first."""


class NoReportError(Exception):
    """There is no report of a load test; the message names the remedy."""


def newest_report() -> Path:
    """Return the newest report of this checkout. Raises NoReportError."""
    found = sorted(REPORTS.glob("*/report.html"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise NoReportError(f"no report in {REPORTS.name}/; run: make load SHAPE=spike")
    return found[-1]


def load_plot(report: str) -> str:
    """Return the plot of events a second. Raises NoReportError. Pure."""
    found = re.search(rf"{TITLE}.*?(<svg.*?</svg>)", report, re.DOTALL)
    if found is None:
        raise NoReportError(f"the report has no plot {TITLE!r}")
    return found[1] + "\n"


def draw_pipeline(path: Path, minutes: float) -> None:
    """Run a demo stack for some minutes and draw its dashboard. Needs Docker and the tests' images."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shares_file = folder / "shares.json"
        shares = {name: {"cpu_shares": SHARES} for name in (*PIPELINE, *METRICS)}
        shares_file.write_text(json.dumps({"services": shares}), encoding="utf-8")
        stack = Stack(
            f"newcomer-pictures-{secrets.token_hex(4)}",
            folder / "stack",
            SETTINGS,
            files=(BASE, str(shares_file)),
            profiles=("demo",),
        )
        try:
            stack.up(*PIPELINE, *METRICS)
            # The dashboard shows minutes of traffic: wait for the time itself.
            Event().wait(minutes * 60)
            end = time.time()
            page = PAGES[0]
            draw(page, ask(Prometheus(stack.url("PROMETHEUS_PORT")), page, end - minutes * 60, end), path)
        finally:
            stack.end()
