"""A release on this host: its folder, its metadata, the links to it, and Compose run on it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployment.deploy_agent.docker import Completed, docker

if TYPE_CHECKING:
    from pathlib import Path

    from deployment.deploy_agent.layout import Layout

PROJECT = "bluesky-archive"
COMPOSE = ("docker-compose.yml", "docker-compose.prod.yml")
IMAGES = "images.env"
ABOUT = "release.json"
AGENT = "deploy-agent"
"""In a release's folder: the deploy agent that it brings."""
CONFIG = "config"
"""In a release's folder: link to the files that its containers mount."""
VERIFIED = "verified"
"""In a release's folder: touched whenever the release is live with data flowing; its mtime says when."""


@dataclass(frozen=True)
class Release:
    """What `deployment.release` wrote at build time."""

    folder: Path
    sha: str
    number: int
    """Number of commits up to and including this one."""
    committed_at: int
    """Unix seconds."""
    digest: str = ""
    """Of the release image, `prefix/release@sha256:...`."""

    @property
    def images(self) -> tuple[str, ...]:
        """Every image of the release, by digest."""
        return images_of(self.folder)

    @property
    def shown(self) -> str:
        """Short id and number, for messages."""
        return f"{self.sha[:12]} (no. {self.number})"

    def is_older_than(self, other: Release) -> bool:
        """Compare by number, then by commit time: two branches can have the same number."""
        return (self.number, self.committed_at) < (other.number, other.committed_at)


def read(folder: Path) -> Release | None:
    """Return the release in a folder or behind a link; None where there is none."""
    try:
        folder = folder.resolve(strict=True)
        about = json.loads((folder / ABOUT).read_text("utf-8"))
        return Release(folder, about["sha"], about["number"], about["committed_at"], about.get("digest", ""))
    except (OSError, ValueError, KeyError):
        return None


def images_of(folder: Path) -> tuple[str, ...]:
    """Return the image digests in a release's images.env."""
    return tuple(settings(folder / IMAGES).values())


def settings(path: Path) -> dict[str, str]:
    """Return the NAME=value lines of a file; empty where the file does not exist."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = [line.strip().partition("=") for line in lines if not line.lstrip().startswith("#")]
    return {name: value.strip("'\"") for name, equals, value in pairs if equals}


def switch(link: Path, release: Release) -> None:
    """Point a link to a release, atomically and durably."""
    staged = link.with_name(f".{link.name}.new")
    staged.unlink(missing_ok=True)
    staged.symlink_to(release.folder)
    staged.replace(link)
    folder = os.open(link.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def compose(layout: Layout, release: Release, *words: str, seconds: float = 60) -> Completed:
    """Run a Compose command on a release."""
    files = [word for name in COMPOSE for word in ("--file", str(release.folder / name))]
    variables = [layout.settings, release.folder / IMAGES]
    return docker(
        "compose",
        f"--project-name={PROJECT}",
        f"--project-directory={(release.folder / CONFIG).resolve()}",
        *(f"--env-file={path}" for path in variables),
        *files,
        *words,
        seconds=seconds,
        # Set here and not in the host's settings file: the deploy agent reads the same paths.
        settings={"SECRETS_DIR": str(layout.secrets), "ENV_FILE": str(layout.settings)},
    )
