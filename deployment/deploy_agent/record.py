"""What is left of an order: a line in the audit log, and the figure that Prometheus reads."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.order import Order
    from deployment.deploy_agent.release import Release

METRICS = "deploy.prom"


def audit(layout: Layout, order: Order, **said: object) -> None:
    """Append a line, and see it on the disk."""
    layout.logs.mkdir(parents=True, exist_ok=True)
    line = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **order._asdict(), **said}
    with layout.audit.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def publish(layout: Layout, release: Release, now: float) -> None:
    """Say since when a release is live."""
    layout.textfile.mkdir(parents=True, exist_ok=True)
    staged = layout.textfile / f".{METRICS}.new"
    staged.write_text(
        "# HELP archive_deploy_timestamp_seconds Since when the release of this commit is live.\n"
        "# TYPE archive_deploy_timestamp_seconds gauge\n"
        f'archive_deploy_timestamp_seconds{{sha="{release.sha}"}} {now:.0f}\n',
        "utf-8",
    )
    staged.chmod(0o644)
    staged.replace(layout.textfile / METRICS)
