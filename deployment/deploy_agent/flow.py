"""Wait until a release takes data: samples of both daemons' metrics, and the decision on them."""

from __future__ import annotations

import json
import re
import time
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from deployment.deploy_agent.release import Release, compose
from deployment.deploy_agent.stack import Failed

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.output import Output

LIVE_SECONDS = 60.0
"""A lag of less counts as live; a larger one must fall."""
OWN_STREAMS = ("gaps", "rejects")
TIMEOUT_SECONDS = 90.0
"""Beside the writer's interval: a writer that was not restarted commits only at its next round."""
POLL_SECONDS = 3.0
# Run in the health container, which reaches both daemons; without a proxy that is configured for containers.
_READ_METRICS = """
import json, urllib.request as web
get = web.build_opener(web.ProxyHandler({})).open
pages = [("jetstream", 9101), ("data_writer", 9102)]
print(json.dumps([get(f"http://{name}:{port}/metrics", timeout=5).read().decode() for name, port in pages]))
"""

_LINE = re.compile(r"(\w+)(?:\{([^}]*)\})? (\S+)")


class Sample(NamedTuple):
    """Metrics of both daemons at one time."""

    events: float
    """Events validated since the ingester's start."""
    rows: float
    """Rows of Jetstream's streams committed since the writer's start."""
    lag: float
    """Seconds that the ingester is behind."""
    paused: bool
    interval: float
    """Seconds between the writer's rounds."""


def sample(jetstream: str, data_writer: str) -> Sample:
    """Parse two `/metrics` pages; raises KeyError where a metric is missing."""
    ingester, writer = _figures(jetstream), _figures(data_writer)
    return Sample(
        ingester["archive_validate_events_total"],
        writer["archive_commit_rows_total"],
        ingester["archive_receive_lag_seconds"],
        ingester["archive_receive_paused"] > 0,
        writer["archive_claim_interval_seconds"],
    )


def take_sample(layout: Layout, release: Release) -> Sample | None:
    """Return the daemons' metrics now, or None when one does not answer."""
    read = compose(layout, release, "exec", "-T", "health", "python", "-c", _READ_METRICS)
    try:
        jetstream, data_writer = json.loads(read.output.splitlines()[-1])
        return sample(jetstream, data_writer)
    except (ValueError, KeyError, IndexError):
        return None


def wait_until_flowing(layout: Layout, release: Release, before: Sample | None, output: Output) -> None:
    """Return once events arrive, parts are committed and the lag is small or falls; raises Failed."""
    began = time.monotonic()
    samples: list[Sample] = []
    reported = ""
    while True:
        now = take_sample(layout, release)
        samples += [now] if now is not None else []
        reason = stopped_at(before, samples)
        if not reason:
            last = samples[-1]
            output(f"data flow: {last.events:.0f} events, {last.rows:.0f} rows, {last.lag:.1f} s behind")
            return
        if reason != reported:
            output(f"waiting: {reason}")
            reported = reason
        if time.monotonic() - began > TIMEOUT_SECONDS + (samples[-1].interval if samples else 0.0):
            raise Failed(f"every container is healthy, but {reason}")
        time.sleep(POLL_SECONDS)


def stopped_at(before: Sample | None, since: list[Sample]) -> str:
    """Return why data do not flow yet, or "" when they do. Pure.

    `before` is a sample from before the release, `since` are samples from after; daemons may have restarted.
    """
    if not since:
        return "the daemons do not answer"
    first, last = since[0], since[-1]
    if last.paused:
        return "the ingester is paused: a disk or Redis is nearly full"
    if not any(later.events > earlier.events for earlier, later in pairwise(since)):
        return "no events arrive"
    if not _grown(before.rows if before else 0.0, last.rows):
        return "no parts are committed"
    if last.lag > LIVE_SECONDS and last.lag >= first.lag:
        return f"the lag of {last.lag:.0f} s does not fall"
    return ""


def _grown(before: float, now: float) -> bool:
    """Return whether a counter has grown; a value below the earlier one means that its daemon restarted."""
    return now > before or 0 < now < before


def _figures(page: str) -> dict[str, float]:
    """Return every metric, summed over its labels, without the streams `gaps` and `rejects`."""
    sums: dict[str, float] = {}
    for line in page.splitlines():
        found = _LINE.fullmatch(line)
        if found is None or any(f'stream="{name}"' in (found[2] or "") for name in OWN_STREAMS):
            continue
        sums[found[1]] = sums.get(found[1], 0.0) + float(found[3])
    return sums
