"""A release on this host: its folder, what it says of itself, and Compose's words for it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployment.deploy_agent.docker import Done, docker

if TYPE_CHECKING:
    from pathlib import Path

    from deployment.deploy_agent.layout import Layout

PROJECT = "bluesky-archive"
COMPOSE = ("docker-compose.yml", "docker-compose.prod.yml")
IMAGES = "images.env"
ABOUT = "release.json"
AGENT = "deploy-agent"
CONFIG = "config"
"""In a release's folder: link to what its containers mount."""
SEEN_TO_WORK = "good"
"""In a release's folder: made, or touched, whenever it was seen to work."""


@dataclass(frozen=True)
class Release:
    """What `deployment.release` wrote at the build."""

    folder: Path
    sha: str
    number: int
    """How many commits lead up to it."""
    committed_at: int
    """Unix seconds."""
    digest: str = ""
    """The release image itself, `prefix/release@sha256:...`."""

    @property
    def images(self) -> tuple[str, ...]:
        """Every image by digest."""
        return images_of(self.folder)

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self.sha[:12]} (no. {self.number})"

    def is_older_than(self, other: Release) -> bool:
        """Return whether it came before: by number, and by time where two branches have the same number."""
        return (self.number, self.committed_at) < (other.number, other.committed_at)


def read(folder: Path) -> Release | None:
    """Return the release in a folder, or the one a link leads to; None where there is none."""
    try:
        folder = folder.resolve(strict=True)
        about = json.loads((folder / ABOUT).read_text("utf-8"))
        return Release(folder, about["sha"], about["number"], about["committed_at"], about.get("digest", ""))
    except (OSError, ValueError, KeyError):
        return None


def images_of(folder: Path) -> tuple[str, ...]:
    """Return the images that a release names."""
    return tuple(settings(folder / IMAGES).values())


def settings(path: Path) -> dict[str, str]:
    """Return the lines NAME=value of a file; empty where there is none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = [line.strip().partition("=") for line in lines if not line.lstrip().startswith("#")]
    return {name: value.strip("'\"") for name, equals, value in pairs if equals}


def switch(link: Path, release: Release) -> None:
    """Point a link to a release, in one step that cannot be seen half done."""
    staged = link.with_name(f".{link.name}.new")
    staged.unlink(missing_ok=True)
    staged.symlink_to(release.folder)
    staged.replace(link)
    folder = os.open(link.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def compose(layout: Layout, release: Release, *words: str, seconds: float = 60) -> Done:
    """Run Compose on a release."""
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
        # Not from the host's file: these are where the deploy agent looks too.
        settings={"SECRETS_DIR": str(layout.secrets), "ENV_FILE": str(layout.settings)},
    )
