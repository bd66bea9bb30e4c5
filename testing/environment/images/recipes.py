"""What each stand-in is made from, and in which version it differs from the image that it stands for."""

from __future__ import annotations

import re
from typing import NamedTuple

BASE_SUITE = "trixie"
BASE = f"standin-base:{BASE_SUITE}"


class Recipe(NamedTuple):
    """A folder with a Dockerfile, and the package that the program comes from."""

    folder: str
    package: str
    suite: str = "sid"
    """Programs of `sid` are unpacked into `root` beside the Dockerfile; the base's own are installed."""
    also: tuple[str, ...] = ()
    """Other packages to unpack."""


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
NOT_TO_BE_HAD = {
    "grafana/grafana": "Debian, PyPI and npm have no Grafana; it runs only where its image can be pulled",
}
OLDER = {
    "redis": "Debian's newest Redis is 8.0; what we use of Redis is the same since 7.0",
}
"""Stand-ins of an older minor version than the tag they stand for, and why that is bearable."""


def minor(version: str) -> tuple[int, int]:
    """Return major and minor of a tag (`v3.5.3`, `3.13.14-slim`) or a Debian version (`5:8.0.2-3`)."""
    found = re.match(r"(?:\d+:)?v?(\d+)\.(\d+)", version)
    if found is None:
        raise ValueError(f"{version!r} has no major.minor version")
    return int(found[1]), int(found[2])
