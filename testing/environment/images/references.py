"""Pure: which images the Compose files and Dockerfiles name; each is written as a variable's default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
_IN_COMPOSE = re.compile(r"image: \$\{(\w+_IMAGE):-([^}]+)\}")
_IN_DOCKERFILE = re.compile(r"^ARG (\w+_IMAGE)=(\S+)", re.MULTILINE)


class Reference(NamedTuple):
    """An image by its official name and tag, and the variable that overrides it."""

    variable: str
    name: str
    tag: str

    def __str__(self) -> str:
        """Return it as Docker writes it."""
        return f"{self.name}:{self.tag}"


def references(root: Path = ROOT) -> list[Reference]:
    """Return every official image that the stack is made of."""
    found: dict[tuple[str, str], None] = {}
    for path in sorted([*root.glob("docker-compose*.yml"), *root.glob("deployment/docker-compose*.yml")]):
        found.update(dict.fromkeys(_IN_COMPOSE.findall(path.read_text(encoding="utf-8"))))
    for path in sorted([*root.glob("services/**/Dockerfile"), *root.glob("deployment/**/Dockerfile")]):
        found.update(dict.fromkeys(_IN_DOCKERFILE.findall(path.read_text(encoding="utf-8"))))
    return [Reference(variable, *name.rsplit(":", 1)) for variable, name in found]
