"""The two images: a machine, and a registry for it."""

from __future__ import annotations

from pathlib import Path

from testing.environment.images import derived

FOLDER = Path(__file__).parent
MACHINE = "standin-vm:trixie"
REGISTRY = "standin-registry:trixie"
RECIPES = {MACHINE: FOLDER / "machine_image", REGISTRY: FOLDER / "registry_image"}


def build() -> None:
    """Build what is missing or of an older recipe. Raises NoBaseError."""
    for image, folder in RECIPES.items():
        derived.build(image, folder)
