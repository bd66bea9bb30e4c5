"""Carry out an order: checks that may refuse it, then the switch, then verification or rollback."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from deployment.deploy_agent import flow, preflight, stack, store
from deployment.deploy_agent import output as records
from deployment.deploy_agent.orders import BUSY, DONE, FAILED, REFUSED, STUCK, Busy, held
from deployment.deploy_agent.preflight import Refused
from deployment.deploy_agent.release import VERIFIED, Release, read, settings, switch
from deployment.deploy_agent.stack import Failed

if TYPE_CHECKING:
    from deployment.deploy_agent.flow import Sample
    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.orders import Order
    from deployment.deploy_agent.output import Output

NOT_LIVE = (Failed, OSError, ValueError)
"""After the switch each of these leads to a rollback: a full disk and an unreadable reply too."""


def execute(layout: Layout, order: Order, by: str, output: Output) -> int:
    """Carry out an order and write the audit line; returns the exit code."""
    began = time.monotonic()
    verified = read(layout.verified)
    try:
        # The lock comes before the preflight: another order would change what was just checked.
        with held(layout.lock, order):
            verified = read(layout.verified)
            code, result, reason = _under_lock(layout, order, verified, output)
    except (Refused, Busy, OSError) as error:
        code, result, reason = BUSY if isinstance(error, Busy) else REFUSED, "refused", str(error)
        output(f"refused, nothing changed: {error}")
    seconds = round(time.monotonic() - began, 1)
    try:
        previous = verified.sha if verified else None
        records.audit(layout, order, by=by, result=result, seconds=seconds, previous=previous, reason=reason)
    except OSError as error:
        output(f"the audit log cannot be written: {error}")
    return code


def _under_lock(
    layout: Layout, order: Order, verified: Release | None, output: Output
) -> tuple[int, str, str]:
    current = read(layout.current)
    if verified is not None and current == verified and verified.sha == order.sha:
        output(f"{verified.shown} is live already; nothing changed")
        return DONE, "unchanged", ""
    if current != verified:
        output("the previous order was interrupted; this one starts from the state it left")
    output("preflight; nothing changes yet")
    release = _prepare(layout, order, verified, current, output)
    before = flow.take_sample(layout, current) if current is not None else None
    output(f"switching to {release.shown}")
    try:
        _activate(layout, release, before, output)
    except NOT_LIVE as error:
        output(f"FAILED: {error}")
        stack.report(output)
        return _roll_back(layout, release, verified, str(error), output)
    output(f"live: {release.shown}")
    if order.verb == "deploy" and store.self_update(layout, release):
        output("the deploy agent of this release is installed")
    return DONE, "live", ""


def _prepare(
    layout: Layout, order: Order, verified: Release | None, current: Release | None, output: Output
) -> Release:
    """Return the release, checked and with its images on this host; raises Refused."""
    linked = {release.sha for release in (verified, current) if release is not None}
    prefix = settings(layout.settings).get("IMAGE_PREFIX", "")
    if prefix:
        # Before the disk is checked: old releases may be what fills it.
        store.prune(layout, prefix, linked | ({order.sha} if order.verb == "rollback" else set()), output)
    prefix = preflight.host(layout)
    if order.verb == "rollback":
        release = _on_this_host(layout, order.sha)
    else:
        release = store.fetch(layout, prefix, order.sha)
        if verified is not None and release.is_older_than(verified):
            raise Refused(
                f"{release.shown} is older than {verified.shown}, which is live; "
                "to go back, roll back to a release that is still on the host"
            )
        # Not after an interrupted first order: then Redis holds nothing yet.
        if verified is not None and current is not None:
            preflight.redis_answers(layout, current)
    preflight.release_fits(layout, release)
    stack.pull(release, output)
    return release


def _on_this_host(layout: Layout, sha: str) -> Release:
    release = read(layout.releases / sha)
    if release is None or not (release.folder / VERIFIED).exists():
        present = [path.parent.name for path in sorted(layout.releases.glob(f"*/{VERIFIED}"))]
        raise Refused(
            f"no verified release of {sha} is on this host; there are: {', '.join(present) or 'none'}"
        )
    return release


def _activate(layout: Layout, release: Release, before: Sample | None, output: Output) -> None:
    """Switch to a release, start it, wait until data flow, then mark it as verified. Raises Failed."""
    switch(layout.current, release)
    stack.up(layout, release)
    output("every container is healthy")
    flow.wait_until_flowing(layout, release, before, output)
    (release.folder / VERIFIED).touch()
    switch(layout.verified, release)
    records.publish(layout, release, time.time())


def _roll_back(
    layout: Layout, failed: Release, verified: Release | None, reason: str, output: Output
) -> tuple[int, str, str]:
    if verified is None:
        output("there is no earlier release to roll back to: the containers are removed, the volumes stay")
        stack.down(layout, failed)
        layout.current.unlink()
        return FAILED, "failed", reason
    output(f"rolling back to {verified.shown}")
    try:
        _activate(layout, verified, None, output)
    except NOT_LIVE as error:
        output(f"THE ROLLBACK FAILED TOO: {error}; somebody must look at this host now")
        stack.report(output)
        return STUCK, "stuck", f"{reason}; then: {error}"
    output(f"rolled back: {verified.shown} is live again")
    return FAILED, "rolled back", reason
