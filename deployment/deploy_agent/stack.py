"""Start and stop the containers of a release, and report the state of unhealthy ones."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from deployment.deploy_agent.docker import Completed, docker
from deployment.deploy_agent.preflight import Refused, is_present
from deployment.deploy_agent.release import PROJECT, Release, compose

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.output import Output

PULL_SECONDS = 300
PARALLEL_PULLS = 3
UP_SECONDS = 180
LOG_LINES = 30
DAEMONS = ("jetstream", "data_writer")
"""Their logs are shown even when they are healthy: they say why no data flow."""


class Failed(Exception):  # noqa: N818 - a state, as services/shared/errors.py names them
    """The host was switched to the release, and the release does not work."""


def pull(release: Release, output: Output) -> None:
    """Pull the images that this host lacks, by digest; raises Refused."""
    missing = [image for image in dict.fromkeys(release.images) if not is_present(image)]
    with ThreadPoolExecutor(PARALLEL_PULLS) as threads:
        for image, pulled in zip(missing, threads.map(_pull, missing), strict=True):
            if pulled.code != 0:
                raise Refused(f"{image} cannot be pulled: {pulled.output.splitlines()[-1]}; try again")
            output(f"pulled {image}")


def up(layout: Layout, release: Release) -> None:
    """Start the containers that changed and wait until all are healthy; raises Failed."""
    started = compose(
        layout,
        release,
        *("up", "--detach", "--no-build", "--pull=never", "--remove-orphans", "--quiet-pull"),
        *("--wait", f"--wait-timeout={UP_SECONDS}"),
        seconds=UP_SECONDS + 120,
    )
    if started.code != 0:
        raise Failed(f"not every container became healthy: {started.output.splitlines()[-1]}")


def down(layout: Layout, release: Release) -> None:
    """Remove the containers; volumes stay."""
    compose(layout, release, "down", "--remove-orphans", seconds=180)


def report(output: Output) -> None:
    """Print state, health checks and last log lines of each unhealthy container, and the daemons' logs."""
    listed = docker("ps", "--all", "--quiet", f"--filter=label=com.docker.compose.project={PROJECT}")
    for container in json.loads(docker("inspect", *listed.output.split()).output) if listed.output else ():
        state, service = container["State"], container["Config"]["Labels"]["com.docker.compose.service"]
        health = state.get("Health", {})
        healthy = (
            state["Running"]
            and health.get("Status", "healthy") == "healthy"
            and not container["RestartCount"]
        )
        if healthy and service not in DAEMONS:
            continue
        output(f"{service}: {state['Status']}, {health.get('Status')}, exit code {state['ExitCode']}")
        for check in () if healthy else (health.get("Log") or [])[-3:]:
            output(f"  health check: exit code {check['ExitCode']}: {check['Output'].strip()[:300]}")
        for line in docker("logs", f"--tail={LOG_LINES}", container["Id"]).output.splitlines():
            output(f"  | {line}")


def _pull(image: str) -> Completed:
    return docker("pull", "--quiet", image, seconds=PULL_SECONDS)
