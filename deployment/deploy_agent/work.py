"""Carry an order out: all that can refuse comes first, then the switch, then the proof or the way back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deployment.deploy_agent import preflight, prune, record, stack, watch
from deployment.deploy_agent.bundle import fetch
from deployment.deploy_agent.errors import DONE, FAILED, REFUSED, STUCK, Failed, Refused
from deployment.deploy_agent.lock import held
from deployment.deploy_agent.release import SEEN_TO_WORK, Release, read, settings, switch
from deployment.deploy_agent.self_update import renew

if TYPE_CHECKING:
    from deployment.deploy_agent.flow import Sample
    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.order import Order
    from deployment.deploy_agent.output import Say

NOT_LIVE = (Failed, OSError, ValueError)
"""After the switch every way to fail leads back, a full disk and an unreadable answer too."""


def carry_out(layout: Layout, order: Order, by: str, say: Say) -> int:
    """Return the exit code; whatever happened is in the audit log."""
    began = time.monotonic()
    good = read(layout.good)
    try:
        # Before the preflight: of two at once, each would vouch for what the other is changing.
        with held(layout.lock, order):
            good = read(layout.good)
            code, result, reason = _under_lock(layout, order, good, say)
    except (Refused, OSError) as error:
        code, result, reason = getattr(error, "code", REFUSED), "refused", str(error)
        say(f"refused, nothing changed: {error}")
    seconds = round(time.monotonic() - began, 1)
    try:
        previous = good.sha if good else None
        record.audit(layout, order, by=by, result=result, seconds=seconds, previous=previous, reason=reason)
    except OSError as error:
        say(f"the audit log cannot be written: {error}")
    return code


def _under_lock(layout: Layout, order: Order, good: Release | None, say: Say) -> tuple[int, str, str]:
    current = read(layout.current)
    if good is not None and current == good and good.sha == order.sha:
        say(f"{good.shown} is live already; nothing changed")
        return DONE, "unchanged", ""
    if current != good:
        say("the order before this one did not come to its end; this one starts from what it left")
    say("preflight; no impact yet")
    release = _ready(layout, order, good, current, say)
    before = watch.look(layout, current) if current is not None else None
    say(f"switching to {release.shown}")
    try:
        _go(layout, release, before, say)
    except NOT_LIVE as error:
        say(f"FAILED: {error}")
        stack.tell(say)
        return _back(layout, release, good, str(error), say)
    say(f"live: {release.shown}")
    if order.verb == "deploy" and renew(layout, release):
        say("the deploy agent itself is the release's now")
    return DONE, "live", ""


def _ready(layout: Layout, order: Order, good: Release | None, current: Release | None, say: Say) -> Release:
    """Return the release with all that it needs on this host; raises Refused."""
    linked = {release.sha for release in (good, current) if release is not None}
    prefix = settings(layout.settings).get("IMAGE_PREFIX", "")
    if prefix:
        # Before there is a look at the disk: old images must not be what keeps us from removing them.
        prune.make_room(layout, prefix, linked | ({order.sha} if order.verb == "rollback" else set()), say)
    prefix = preflight.host(layout)
    if order.verb == "rollback":
        release = _still_here(layout, order.sha)
    else:
        release = fetch(layout, prefix, order.sha)
        if good is not None and release.is_older_than(good):
            raise Refused(
                f"{release.shown} is older than {good.shown}, which is live; "
                "to go back, roll back to a release that is still on the host"
            )
        # Not after a first order that was cut off: there, nothing holds anything yet.
        if good is not None and current is not None:
            preflight.redis_answers(layout, current)
    preflight.release_fits(layout, release)
    stack.pull(release, say)
    return release


def _still_here(layout: Layout, sha: str) -> Release:
    release = read(layout.releases / sha)
    if release is None or not (release.folder / SEEN_TO_WORK).exists():
        there = [path.parent.name for path in sorted(layout.releases.glob(f"*/{SEEN_TO_WORK}"))]
        raise Refused(
            f"no release of {sha} that worked is on this host; there are: {', '.join(there) or 'none'}"
        )
    return release


def _go(layout: Layout, release: Release, before: Sample | None, say: Say) -> None:
    """Switch, start, and see data flow; only then it is good. Raises Failed."""
    switch(layout.current, release)
    stack.up(layout, release)
    say("every container is healthy")
    watch.until_data_flow(layout, release, before, say)
    (release.folder / SEEN_TO_WORK).touch()
    switch(layout.good, release)
    record.publish(layout, release, time.time())


def _back(
    layout: Layout, failed: Release, good: Release | None, reason: str, say: Say
) -> tuple[int, str, str]:
    if good is None:
        say("there is no earlier release to go back to: its containers are removed, its volumes stay")
        stack.down(layout, failed)
        layout.current.unlink()
        return FAILED, "failed", reason
    say(f"rolling back to {good.shown}")
    try:
        _go(layout, good, None, say)
    except NOT_LIVE as error:
        say(f"THE WAY BACK FAILED TOO: {error}; somebody must look at this host now")
        stack.tell(say)
        return STUCK, "stuck", f"{reason}; then: {error}"
    say(f"rolled back: {good.shown} is live again")
    return FAILED, "rolled back", reason
