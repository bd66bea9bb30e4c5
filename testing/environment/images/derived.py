"""Images built on the stand-ins' base for tests alone: once, and anew when their recipe has changed."""

from __future__ import annotations

import json
import subprocess
from hashlib import sha256
from typing import TYPE_CHECKING

from testing.environment.images.recipes import BASE

if TYPE_CHECKING:
    from pathlib import Path

BUILD_SECONDS = 900


class NoBaseError(Exception):
    """The stand-ins' base is not on this engine; the message names the mend."""


def build(image: str, folder: Path) -> None:
    """Build the image from the folder's recipe, if it is missing or of an older one. Raises NoBaseError."""
    if _label(BASE, "standin") != "1":
        raise NoBaseError(f"{BASE} is not on this engine; on a Debian machine with root: make images")
    fingerprint = _fingerprint(folder)
    if _label(image, "standin.recipe") == fingerprint:
        return
    labels = ["--label=standin=1", f"--label=standin.recipe={fingerprint}"]
    done = subprocess.run(
        ["docker", "buildx", "build", "--quiet", "--load", *labels, f"--tag={image}", str(folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, f"{image} cannot be built:\n{done.stderr[-4000:]}"


def _label(image: str, name: str) -> str | None:
    words = ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image]
    asked = subprocess.run(words, check=False, capture_output=True, text=True)
    return (json.loads(asked.stdout) or {}).get(name) if asked.returncode == 0 else None


def _fingerprint(folder: Path) -> str:
    """Return a digest of what an image is built from."""
    files = sorted(folder.iterdir())
    return sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()[:16]
