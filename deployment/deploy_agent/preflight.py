"""Checks before anything changes; the first that fails raises Refused with one sentence and the remedy."""

from __future__ import annotations

import json
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.deploy_agent.docker import ask_registry, docker
from deployment.deploy_agent.release import Release, compose, settings

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout

FREE_SHARE, FREE_ENOUGH = 0.15, 10_000_000_000
"""The share of a disk that must be free; on a large disk, this many bytes are enough."""
NOT_EMPTY = ("redis_", "grafana_")
"""Prefixes of secrets that may not be empty; the receivers of alerts are optional."""
PARALLEL_LOOKUPS = 4


class Refused(Exception):  # noqa: N818 - a state, as services/shared/errors.py names them
    """The order was stopped before anything changed; the message is one sentence with the remedy."""


def host(layout: Layout) -> str:
    """Check settings, Docker, disks and DNS of the host; returns the registry prefix of its images."""
    configured = settings(layout.settings)
    for name in ("IMAGE_PREFIX", "SITE_ADDRESS"):
        if not configured.get(name):
            raise Refused(f"{layout.settings} has no {name}; provision the host again, or write it there")
    engine = docker("info", "--format={{.DockerRootDir}}")
    if engine.code != 0:
        raise Refused("Docker's engine does not answer; on the host: `sudo systemctl restart docker`")
    for path in (Path(engine.output), layout.home):
        free_space(path)
    leads_here(configured["SITE_ADDRESS"])
    return configured["IMAGE_PREFIX"]


def free_space(path: Path) -> None:
    """Check that a disk has room for a deploy."""
    usage = shutil.disk_usage(path)
    needed = min(FREE_SHARE * usage.total, FREE_ENOUGH)
    if usage.free < needed:
        raise Refused(
            f"the disk of {path} has {usage.free / 1e6:,.0f} MB free and a deploy needs {needed / 1e6:,.0f}; "
            "make room on the host (`docker system df` shows what Docker holds), or grow the disk"
        )


def leads_here(site: str) -> None:
    """Check that the site's name resolves to this host; otherwise no certificate can be issued for it."""
    name = site.removeprefix("https://").removeprefix("http://").partition(":")[0]
    try:
        found = sorted({entry[4][0] for entry in socket.getaddrinfo(name, 443, proto=socket.IPPROTO_TCP)})
    except OSError as error:
        raise Refused(
            f"{name} has no address ({error}); make its DNS records, A and AAAA, point to this host"
        ) from error
    if not any(_is_mine(str(address)) for address in found):
        raise Refused(f"{name} leads to {', '.join(map(str, found))}, not here; correct its DNS records")


def release_fits(layout: Layout, release: Release) -> None:
    """Check what a release needs: its settings, its secrets and its images by digest."""
    rendered = compose(layout, release, "config", "--format=json")
    if rendered.code != 0:
        reason = rendered.output.splitlines()[-1] if rendered.output else "no reason given"
        raise Refused(f"Compose refuses the release with this host's settings: {reason}")
    config = json.loads(rendered.output[rendered.output.index("{") :])
    for name, secret in config.get("secrets", {}).items():
        path = Path(secret["file"])
        if not path.is_file() or (name.startswith(NOT_EMPTY) and not path.read_text("utf-8").strip()):
            raise Refused(f"the secret {name} is missing in {path}; make the secrets on the host again")
    unpinned = [
        service["image"] for service in config["services"].values() if "@sha256:" not in service["image"]
    ]
    if unpinned:
        raise Refused(f"{', '.join(unpinned)}: not named by digest; build the release again")
    with ThreadPoolExecutor(PARALLEL_LOOKUPS) as threads:
        reasons = dict(zip(release.images, threads.map(_missing, release.images), strict=True))
    for image, reason in reasons.items():
        if reason:
            raise Refused(registry_error(image, reason))


def redis_answers(layout: Layout, running: Release) -> None:
    """Check that the running Redis answers: it holds events that are not committed yet."""
    checked = compose(layout, running, "exec", "-T", "redis", "redis-healthy")
    if checked.code != 0:
        reason = checked.output.splitlines()[-1] if checked.output else "no answer"
        raise Refused(f"Redis does not answer ({reason}); look at its log first, or roll back")


def registry_error(image: str, message: str) -> str:
    """Return one sentence on why the registry refuses an image, with the remedy."""
    last = message.splitlines()[-1] if message else "no reason given"
    if any(word in message for word in ("unauthorized", "denied", "authentication required", "403", "401")):
        return (
            f"the registry refuses this host's login for {image} ({last}); on the host: "
            "`sudo docker login`, with a token that may read packages"
        )
    if any(word in message for word in ("not found", "manifest unknown", "no such manifest")):
        return f"the registry has no {image}; let its build finish, or run it again"
    return f"the registry does not deliver {image}: {last}; try again when it answers"


def is_present(image: str) -> bool:
    """Return whether this host has an image."""
    return docker("image", "inspect", "--format=ok", image).code == 0


def _missing(image: str) -> str:
    return "" if is_present(image) else ask_registry(image)


def _is_mine(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # Only an address of this host can be bound.
            probe.bind((address, 0))
        except OSError:
            return False
    return True
