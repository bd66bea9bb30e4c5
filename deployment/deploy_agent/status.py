"""What is live, what is under way, and what can be rolled back to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from deployment.deploy_agent.errors import BUSY, DONE, FAILED
from deployment.deploy_agent.lock import holder, is_held
from deployment.deploy_agent.release import SEEN_TO_WORK, read

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout


class Status(NamedTuple):
    """Exit code (live: 0, not live: 1, something under way: 75) and lines for people."""

    code: int
    lines: list[str]


def status(layout: Layout, sha: str) -> Status:
    """Look; nothing is changed, and nothing is waited for."""
    good = read(layout.good)
    lines = [f"live: {good.sha} (no. {good.number})" if good else "live: nothing yet"]
    code = DONE if good is not None and good.sha == sha else FAILED
    if is_held(layout.lock):
        lines.append(f"under way: {holder(layout.lock)}")
        code = BUSY
    elif read(layout.current) != good:
        lines.append("the last order did not come to its end; the next one starts from what it left")
    for path in sorted(layout.releases.glob(f"*/{SEEN_TO_WORK}"), key=lambda path: -path.stat().st_mtime):
        seen = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(path.stat().st_mtime))
        lines.append(f"here: {path.parent.name}, seen to work {seen}")
    return Status(code, lines)
