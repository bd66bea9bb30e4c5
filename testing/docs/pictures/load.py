"""One plot out of the report of `make load`, as it stands there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

REPORTS = REPOSITORY / ".load"
TITLE = "Events a second"


class NoReportError(Exception):
    """There is no report to take the plot from; the message names the mend."""


def newest() -> Path:
    """Return the newest report of this checkout. Raises NoReportError."""
    found = sorted(REPORTS.glob("*/report.html"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise NoReportError(f"no report in {REPORTS.name}/; run: make load SHAPE=spike")
    return found[-1]


def plot(report: str) -> str:
    """Return the plot of events a second. Raises NoReportError. Pure."""
    found = re.search(rf"{TITLE}.*?(<svg.*?</svg>)", report, re.DOTALL)
    if found is None:
        raise NoReportError(f"the report has no plot {TITLE!r}")
    return found[1] + "\n"
