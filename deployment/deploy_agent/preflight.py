"""What must hold before anything changes; the first thing that does not is told in one sentence."""

from __future__ import annotations

import json
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.deploy_agent.bundle import why_not
from deployment.deploy_agent.docker import ask_registry, docker
from deployment.deploy_agent.errors import Refused
from deployment.deploy_agent.release import Release, compose, settings

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout

FREE_SHARE, FREE_ENOUGH = 0.15, 10_000_000_000
"""So much of a disk must be free; on a large disk, so many bytes are enough."""
MUST_HOLD = ("redis_", "grafana_")
"""Secrets that may not be empty; how alerts reach people may be left out."""
QUESTIONS_AT_ONCE = 4


def host(layout: Layout) -> str:
    """Check what no release is needed for; returns where this host finds its images."""
    told = settings(layout.settings)
    for name in ("IMAGE_PREFIX", "SITE_ADDRESS"):
        if not told.get(name):
            raise Refused(f"{layout.settings} has no {name}; provision the host again, or write it there")
    engine = docker("info", "--format={{.DockerRootDir}}")
    if engine.code != 0:
        raise Refused("Docker's engine does not answer; on the host: `sudo systemctl restart docker`")
    for path in (Path(engine.said), layout.home):
        room(path)
    here(told["SITE_ADDRESS"])
    return told["IMAGE_PREFIX"]


def room(path: Path) -> None:
    """Refuse when a disk is nearly full."""
    usage = shutil.disk_usage(path)
    needed = min(FREE_SHARE * usage.total, FREE_ENOUGH)
    if usage.free < needed:
        raise Refused(
            f"the disk of {path} has {usage.free / 1e6:,.0f} MB free and a deploy wants {needed / 1e6:,.0f}; "
            "make room on the host (`docker system df` shows what Docker holds), or grow the disk"
        )


def here(site: str) -> None:
    """Refuse when the site's name does not lead to this host: no certificate could be had for it."""
    name = site.removeprefix("https://").removeprefix("http://").partition(":")[0]
    try:
        found = sorted({entry[4][0] for entry in socket.getaddrinfo(name, 443, proto=socket.IPPROTO_TCP)})
    except OSError as error:
        raise Refused(
            f"{name} has no address ({error}); make its DNS records, A and AAAA, point to this host"
        ) from error
    if not any(_is_mine(str(address)) for address in found):
        raise Refused(f"{name} leads to {', '.join(map(str, found))}, not here; mend its DNS records")


def release_fits(layout: Layout, release: Release) -> None:
    """Check what a release needs of this host: settings, secrets, images."""
    rendered = compose(layout, release, "config", "--format=json")
    if rendered.code != 0:
        reason = rendered.said.splitlines()[-1] if rendered.said else "no reason given"
        raise Refused(f"Compose refuses the release with this host's settings: {reason}")
    read = json.loads(rendered.said[rendered.said.index("{") :])
    for name, secret in read.get("secrets", {}).items():
        path = Path(secret["file"])
        if not path.is_file() or (name.startswith(MUST_HOLD) and not path.read_text("utf-8").strip()):
            raise Refused(f"the secret {name} is missing in {path}; make the secrets on the host again")
    loose = [service["image"] for service in read["services"].values() if "@sha256:" not in service["image"]]
    if loose:
        raise Refused(f"{', '.join(loose)}: not named by digest; build the release again")
    with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as threads:
        reasons = dict(zip(release.images, threads.map(_missing, release.images), strict=True))
    for image, reason in reasons.items():
        if reason:
            raise Refused(why_not(image, reason))


def redis_answers(layout: Layout, running: Release) -> None:
    """Refuse to touch a stack whose Redis does not answer: what it holds is not committed yet."""
    asked = compose(layout, running, "exec", "-T", "redis", "redis-healthy")
    if asked.code != 0:
        reason = asked.said.splitlines()[-1] if asked.said else "no answer"
        raise Refused(f"Redis does not answer ({reason}); look at its log first, or roll back")


def is_here(image: str) -> bool:
    """Return whether this host has an image."""
    return docker("image", "inspect", "--format=ok", image).code == 0


def _missing(image: str) -> str:
    return "" if is_here(image) else ask_registry(image)


def _is_mine(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        try:
            # Only an address of one's own can be bound.
            asked.bind((address, 0))
        except OSError:
            return False
    return True
