"""What an order leaves behind: its log without secrets, a line in the audit log, and a metric."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.orders import Order
    from deployment.deploy_agent.release import Release

    Output = Callable[[str], None]

SHORTEST_SECRET = 8
MASK = "***"
METRICS = "deploy.prom"


def secret_values(folder: Path) -> list[str]:
    """Return every line of the secret files that has SHORTEST_SECRET characters or more, longest first."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    lines = [line.strip() for file in files for line in file.read_text("utf-8", "replace").splitlines()]
    # Longest first: one secret may contain another.
    return sorted({line for line in lines if len(line) >= SHORTEST_SECRET}, key=len, reverse=True)


def masked_output(secrets: list[str], began: float) -> Output:
    """Return a function that prints text line by line, with the time since `began` and secrets masked."""

    def output(text: str) -> None:
        for secret in secrets:
            text = text.replace(secret, MASK)
        for line in text.splitlines():
            print(f"{time.monotonic() - began:6.1f} s  {line}", flush=True)  # noqa: T201 - the log

    return output


def audit(layout: Layout, order: Order, **fields: object) -> None:
    """Append one line of JSON to the audit log and sync it."""
    layout.logs.mkdir(parents=True, exist_ok=True)
    line = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **order._asdict(), **fields}
    with layout.audit.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def publish(layout: Layout, release: Release, now: float) -> None:
    """Write the metric of the live release and its time, for node_exporter."""
    layout.textfile.mkdir(parents=True, exist_ok=True)
    staged = layout.textfile / f".{METRICS}.new"
    staged.write_text(
        "# HELP archive_deploy_timestamp_seconds When the release of this commit became live.\n"
        "# TYPE archive_deploy_timestamp_seconds gauge\n"
        f'archive_deploy_timestamp_seconds{{sha="{release.sha}"}} {now:.0f}\n',
        "utf-8",
    )
    staged.chmod(0o644)
    staged.replace(layout.textfile / METRICS)
