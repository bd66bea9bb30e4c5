"""Images for tests, built on the stand-ins' base when they are missing or their recipe has changed."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from testing.environment.images.recipes import BASE
from testing.harness.programs import docker, run

if TYPE_CHECKING:
    from pathlib import Path

BUILD_SECONDS = 900


class NoBaseError(Exception):
    """The stand-ins' base is not on this engine; the message names the remedy."""


def build(image: str, folder: Path) -> None:
    """Build an image from a folder, if it is missing or outdated. Raises NoBaseError."""
    if label_of(BASE, "standin") != "1":
        raise NoBaseError(f"{BASE} is not on this engine; on a Debian machine with root: make images")
    fingerprint = _fingerprint(folder)
    if label_of(image, "standin.recipe") == fingerprint:
        return
    labels = ["--label=standin=1", f"--label=standin.recipe={fingerprint}"]
    docker(
        "buildx", "build", "--quiet", "--load", *labels, f"--tag={image}", str(folder), seconds=BUILD_SECONDS
    )


def label_of(image: str, name: str) -> str | None:
    """Return a label of an image; None if the image or the label is missing."""
    shown = run("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image, check=False)
    return (json.loads(shown.stdout) or {}).get(name) if shown.returncode == 0 else None


def _fingerprint(folder: Path) -> str:
    """Return a digest of the files that an image is built from."""
    files = sorted(folder.iterdir())
    return sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()[:16]
