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
VERBS = ("deploy", "rollback", "status")
CONNECT_SECONDS, ALIVE_SECONDS, ALIVE_COUNT = 10, 15, 4


def rendered(files: Sequence[str], *, interpolated: bool) -> list[str]:
    """Return what shows the services of Compose files as JSON, with or without variables filled in."""
    chosen = [word for name in files for word in ("--file", str(ROOT / name))]
    raw = [] if interpolated else ["--no-interpolate"]
    return ["docker", "compose", "--project-directory", str(ROOT), *chosen, "config", *raw, "--format=json"]


def bake(services: Sequence[str], platforms: Sequence[str], *, attested: bool) -> list[str]:
    """Return what builds and pushes the images of services."""
    words = ["docker", "buildx", "bake", "--file", BASE, "--file", BUILD, "--push", "--progress=plain"]
    return [*words, *_kinds(platforms, attested=attested, every="*."), *services]


def push_release(tag: str, folder: Path, platforms: Sequence[str], *, attested: bool) -> list[str]:
    """Return what builds and pushes the release image from a folder with its Dockerfile."""
    words = ["docker", "buildx", "build", "--push", "--progress=plain", f"--tag={tag}"]
    for_platforms = [f"--platform={','.join(platforms)}"] if platforms else []
    attestations = ["--provenance=mode=max", "--sbom=true"] if attested else []
    return [*words, *for_platforms, *attestations, str(folder)]


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
    """Return what gives the gate an order; in `folder` lie `key` and `known_hosts`, the only files read."""
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


def _kinds(platforms: Sequence[str], *, attested: bool, every: str) -> list[str]:
    words = [f"--set={every}platform={','.join(platforms)}"] if platforms else []
    return [*words, *(["--provenance=mode=max", "--sbom=true"] if attested else [])]
