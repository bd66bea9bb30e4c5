"""Pure: the words of every command that builds or deploys; nothing is run here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
BASE = "docker-compose.yml"
PRODUCTION = "docker-compose.prod.yml"
BUILD = "deployment/docker-compose.build.yml"
ATTESTATIONS = ("--provenance=mode=max", "--sbom=true")
CONNECT_SECONDS, ALIVE_SECONDS, ALIVE_COUNT = 10, 15, 4


def rendered(files: Sequence[str], *, interpolated: bool) -> list[str]:
    """Return what shows the services of Compose files as JSON, with or without variables filled in."""
    chosen = [word for name in files for word in ("--file", str(ROOT / name))]
    raw = [] if interpolated else ["--no-interpolate"]
    project = ["--project-directory", str(ROOT), "--profile=*"]
    return ["docker", "compose", *project, *chosen, "config", *raw, "--format=json"]


def bake(services: Sequence[str], *, attested: bool) -> list[str]:
    """Return what builds and pushes the images of services, for this machine's processor."""
    words = ["docker", "buildx", "bake", "--file", BASE, "--file", BUILD, "--push", "--progress=plain"]
    return [*words, *(ATTESTATIONS if attested else ()), *services]


def join(image: str, parts: Sequence[str]) -> list[str]:
    """Return what makes one image of those for each processor."""
    return ["docker", "buildx", "imagetools", "create", f"--tag={image}", *parts]


def push_release(tag: str, folder: Path, platforms: Sequence[str]) -> list[str]:
    """Return what builds and pushes the release image from a folder with its Dockerfile."""
    # It runs nothing, so that any machine can build it for any processor; for its own alone, any builder can.
    chosen = [f"--platform={','.join(platforms)}"] if len(platforms) > 1 else []
    return ["docker", "buildx", "build", "--push", "--progress=plain", f"--tag={tag}", *chosen, str(folder)]


def digest_of(image: str) -> list[str]:
    """Return what asks a registry for an image's digest."""
    return ["docker", "buildx", "imagetools", "inspect", image, "--format={{json .Manifest}}"]


def about(sha: str) -> list[str]:
    """Return what tells a commit's whole name and its time."""
    return ["git", "-C", str(ROOT), "show", "--no-patch", "--format=%H %ct", sha]


def number(sha: str) -> list[str]:
    """Return what tells how many commits lead up to one."""
    return ["git", "-C", str(ROOT), "rev-list", "--count", sha]


def ssh(host: str, port: int, user: str, folder: Path, order: str) -> list[str]:
    """Return the ssh command that gives the deploy agent an order; `folder` holds `key` and `known_hosts`."""
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(folder / "known_hosts"),
        "GlobalKnownHostsFile": "/dev/null",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(ALIVE_SECONDS),
        "ServerAliveCountMax": str(ALIVE_COUNT),
    }
    chosen = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return [
        "ssh",
        "-F",
        "/dev/null",
        *chosen,
        "-i",
        str(folder / "key"),
        "-p",
        str(port),
        f"{user}@{host}",
        order,
    ]
