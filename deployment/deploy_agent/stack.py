"""Bring a release up, and say what is wrong with one that does not come up."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from deployment.deploy_agent.docker import Done, docker
from deployment.deploy_agent.errors import Failed, Refused
from deployment.deploy_agent.preflight import is_here
from deployment.deploy_agent.release import PROJECT, Release, compose

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.output import Say

PULL_SECONDS = 300
PULLS_AT_ONCE = 3
UP_SECONDS = 180
LINES = 30
DAEMONS = ("jetstream", "data_writer")
"""Healthy as they may be, they tell why nothing flows."""


def pull(release: Release, say: Say) -> None:
    """Get the images that are not here yet, by digest; nothing runs of them yet."""
    missing = [image for image in dict.fromkeys(release.images) if not is_here(image)]
    with ThreadPoolExecutor(PULLS_AT_ONCE) as threads:
        for image, done in zip(missing, threads.map(_pull, missing), strict=True):
            if done.code != 0:
                raise Refused(f"{image} cannot be pulled: {done.said.splitlines()[-1]}; try again")
            say(f"pulled {image}")


def up(layout: Layout, release: Release) -> None:
    """Start what changed and wait until everything is healthy; raises Failed."""
    done = compose(
        layout,
        release,
        *("up", "--detach", "--no-build", "--pull=never", "--remove-orphans", "--quiet-pull"),
        *("--wait", f"--wait-timeout={UP_SECONDS}"),
        seconds=UP_SECONDS + 120,
    )
    if done.code != 0:
        raise Failed(f"not every container became healthy: {done.said.splitlines()[-1]}")


def down(layout: Layout, release: Release) -> None:
    """Remove the containers; what they wrote stays."""
    compose(layout, release, "down", "--remove-orphans", seconds=180)


def tell(say: Say) -> None:
    """Say of each container that is not well how its checks went; last lines of it and of both daemons."""
    listed = docker("ps", "--all", "--quiet", f"--filter=label=com.docker.compose.project={PROJECT}")
    for container in json.loads(docker("inspect", *listed.said.split()).said) if listed.said else ():
        state, service = container["State"], container["Config"]["Labels"]["com.docker.compose.service"]
        health = state.get("Health", {})
        well = (
            state["Running"]
            and health.get("Status", "healthy") == "healthy"
            and not container["RestartCount"]
        )
        if well and service not in DAEMONS:
            continue
        say(f"{service}: {state['Status']}, {health.get('Status')}, exit code {state['ExitCode']}")
        for check in () if well else (health.get("Log") or [])[-3:]:
            say(f"  health check: exit code {check['ExitCode']}: {check['Output'].strip()[:300]}")
        for line in docker("logs", f"--tail={LINES}", container["Id"]).said.splitlines():
            say(f"  | {line}")


def _pull(image: str) -> Done:
    return docker("pull", "--quiet", image, seconds=PULL_SECONDS)
