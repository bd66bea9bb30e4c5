"""Commands that build and deploy: their words, which are pure, and the two ways of running them."""

from __future__ import annotations

import os
import subprocess
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


class CommandError(Exception):
    """A command failed; the message holds the end of its error output."""


def run(words: list[str], env: dict[str, str] | None = None) -> str:
    """Run a command in the repository and return its output; raises CommandError."""
    done = subprocess.run(
        words, check=False, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise CommandError(f"{' '.join(words[:4])}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def run_visibly(words: list[str], env: dict[str, str] | None = None) -> None:
    """Run a command in the repository with its output on the terminal; raises CommandError."""
    done = subprocess.run(words, check=False, cwd=ROOT, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise CommandError(f"{' '.join(words[:4])} failed; its output is above")


def rendered(files: Sequence[str], *, interpolated: bool) -> list[str]:
    """Return the command that prints Compose files as JSON, with or without variables filled in."""
    chosen = [word for name in files for word in ("--file", str(ROOT / name))]
    raw = [] if interpolated else ["--no-interpolate"]
    project = ["--project-directory", str(ROOT), "--profile=*"]
    return ["docker", "compose", *project, *chosen, "config", *raw, "--format=json"]


def bake(services: Sequence[str], *, attested: bool) -> list[str]:
    """Return the command that builds and pushes the images of services, for this machine's processor."""
    words = ["docker", "buildx", "bake", "--file", BASE, "--file", BUILD, "--push", "--progress=plain"]
    return [*words, *(ATTESTATIONS if attested else ()), *services]


def join(image: str, parts: Sequence[str]) -> list[str]:
    """Return the command that makes one image of the images for each processor."""
    return ["docker", "buildx", "imagetools", "create", f"--tag={image}", *parts]


def push_release(tag: str, folder: Path, platforms: Sequence[str]) -> list[str]:
    """Return the command that builds and pushes the release image from a folder with its Dockerfile."""
    # It runs no program, so any machine can build it for every processor. Not every builder knows platforms.
    chosen = [f"--platform={','.join(platforms)}"] if len(platforms) > 1 else []
    return ["docker", "buildx", "build", "--push", "--progress=plain", f"--tag={tag}", *chosen, str(folder)]


def digest_of(image: str) -> list[str]:
    """Return the command that prints an image's manifest, with its digest, from the registry."""
    return ["docker", "buildx", "imagetools", "inspect", image, "--format={{json .Manifest}}"]


def commit_time(sha: str) -> list[str]:
    """Return the command that prints a commit's full id and its time."""
    return ["git", "-C", str(ROOT), "show", "--no-patch", "--format=%H %ct", sha]


def commit_number(sha: str) -> list[str]:
    """Return the command that prints the number of commits up to one."""
    return ["git", "-C", str(ROOT), "rev-list", "--count", sha]


def ssh(host: str, port: int, user: str, folder: Path, order: str) -> list[str]:
    """Return the command that sends the deploy agent an order; `folder` holds `key` and `known_hosts`."""
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
    key, at = ["-i", str(folder / "key")], ["-p", str(port), f"{user}@{host}"]
    return ["ssh", "-F", "/dev/null", *chosen, *key, *at, order]
