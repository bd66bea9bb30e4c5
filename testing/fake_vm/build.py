"""The two images: a machine, and a registry for it; built once, and anew when their recipe has changed."""

from __future__ import annotations

import json
import subprocess
from hashlib import sha256
from pathlib import Path

from testing.images.recipes import BASE

FOLDER = Path(__file__).parent
MACHINE = "standin-vm:trixie"
REGISTRY = "standin-registry:trixie"
RECIPES = {MACHINE: FOLDER / "machine_image", REGISTRY: FOLDER / "registry_image"}
BUILD_SECONDS = 900


class NoBaseError(Exception):
    """The stand-ins' base is not on this engine; the message names the mend."""


def build() -> None:
    """Build what is missing or of an older recipe."""
    if _label(BASE, "standin") != "1":
        raise NoBaseError(f"{BASE} is not on this engine; on a Debian machine with root: make images")
    for image, folder in RECIPES.items():
        fingerprint = _fingerprint(folder)
        if _label(image, "standin.recipe") == fingerprint:
            continue
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
