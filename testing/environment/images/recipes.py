"""The official images that Compose files and Dockerfiles name, and the recipes of their stand-ins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

BASE_SUITE = "trixie"
BASE = f"standin-base:{BASE_SUITE}"
UNAVAILABLE = {
    "grafana/grafana": "Debian, PyPI and npm have no Grafana; it runs only where its image can be pulled",
}
OLDER = {
    "redis": "Debian's newest Redis is 8.0; what we use of Redis is the same since 7.0",
}
"""Stand-ins with an older minor version than their image's tag, and why that is acceptable."""
ROOT = Path(__file__).parents[3]
_IN_COMPOSE = re.compile(r"image: \$\{(\w+_IMAGE):-([^}]+)\}")
_IN_DOCKERFILE = re.compile(r"^ARG (\w+_IMAGE)=(\S+)", re.MULTILINE)


class Recipe(NamedTuple):
    """The recipe of a stand-in: a folder with a Dockerfile, and the Debian package of the program."""

    folder: str
    package: str
    suite: str = "sid"
    """Packages of `sid` are unpacked into `root` beside the Dockerfile; those of the base are installed."""
    also: tuple[str, ...] = ()
    """Further packages to unpack."""


RECIPES = {
    "python": Recipe("python", "python3", BASE_SUITE),
    "redis": Recipe("redis", "redis-server", BASE_SUITE),
    "prom/prometheus": Recipe("prometheus", "prometheus", also=("promtool",)),
    "prom/alertmanager": Recipe("alertmanager", "prometheus-alertmanager"),
    "prom/node-exporter": Recipe("node_exporter", "prometheus-node-exporter"),
    "oliver006/redis_exporter": Recipe("redis_exporter", "prometheus-redis-exporter"),
    "prom/blackbox-exporter": Recipe("blackbox_exporter", "prometheus-blackbox-exporter"),
    "caddy": Recipe("caddy", "caddy"),
}


def minor(version: str) -> tuple[int, int]:
    """Return major and minor of a tag (`v3.5.3`, `3.13.14-slim`) or a Debian version (`5:8.0.2-3`)."""
    found = re.match(r"(?:\d+:)?v?(\d+)\.(\d+)", version)
    if found is None:
        raise ValueError(f"{version!r} has no major.minor version")
    return int(found[1]), int(found[2])


class Reference(NamedTuple):
    """An official image with its tag, and the variable that overrides it."""

    variable: str
    name: str
    tag: str

    def __str__(self) -> str:
        """Return it as Docker writes it."""
        return f"{self.name}:{self.tag}"


def references(root: Path = ROOT) -> list[Reference]:
    """Return every official image that the stack uses."""
    found: dict[tuple[str, str], None] = {}
    for path in sorted([*root.glob("docker-compose*.yml"), *root.glob("deployment/docker-compose*.yml")]):
        found.update(dict.fromkeys(_IN_COMPOSE.findall(path.read_text(encoding="utf-8"))))
    for path in sorted([*root.glob("services/**/Dockerfile"), *root.glob("deployment/**/Dockerfile")]):
        found.update(dict.fromkeys(_IN_DOCKERFILE.findall(path.read_text(encoding="utf-8"))))
    return [Reference(variable, *name.rsplit(":", 1)) for variable, name in found]
