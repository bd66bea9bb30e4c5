"""Ask the running stack for samples, until data flow or patience ends."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from deployment.deploy_agent.errors import Failed
from deployment.deploy_agent.flow import Sample, sample, stopped_at
from deployment.deploy_agent.release import Release, compose

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.output import Say

PATIENCE_SECONDS = 90.0
"""Beside the writer's interval: a writer that was not begun anew commits only at its next round."""
BETWEEN_SECONDS = 3.0
# In the container that knows both daemons, past any proxy that was configured for containers.
_ASK = """
import json, urllib.request as web
get = web.build_opener(web.ProxyHandler({})).open
pages = [("jetstream", 9101), ("data_writer", 9102)]
print(json.dumps([get(f"http://{name}:{port}/metrics", timeout=5).read().decode() for name, port in pages]))
"""


def look(layout: Layout, release: Release) -> Sample | None:
    """Return what the daemons say now, or None when one does not answer."""
    asked = compose(layout, release, "exec", "-T", "health", "python", "-c", _ASK)
    try:
        jetstream, data_writer = json.loads(asked.said.splitlines()[-1])
        return sample(jetstream, data_writer)
    except (ValueError, KeyError, IndexError):
        return None


def until_data_flow(layout: Layout, release: Release, before: Sample | None, say: Say) -> None:
    """Return when events arrive, parts are committed and the lag falls; raises Failed when they do not."""
    began = time.monotonic()
    seen: list[Sample] = []
    told = ""
    while True:
        now = look(layout, release)
        seen += [now] if now is not None else []
        reason = stopped_at(before, seen)
        if not reason:
            last = seen[-1]
            say(f"data flow: {last.events:.0f} events, {last.rows:.0f} rows, {last.lag:.1f} s behind")
            return
        if reason != told:
            say(f"waiting: {reason}")
            told = reason
        if time.monotonic() - began > PATIENCE_SECONDS + (seen[-1].interval if seen else 0.0):
            raise Failed(f"every container is healthy, but {reason}")
        time.sleep(BETWEEN_SECONDS)
