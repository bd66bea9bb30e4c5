"""Which images production is made of, as Compose shows its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from deployment.commands import BASE, BUILD, PRODUCTION, rendered
from deployment.release import Wanted, wanted
from deployment.running import said

if TYPE_CHECKING:
    from deployment.running import Place


def images_of(place: Place) -> list[Wanted]:
    """Return every image; raises ValueError for one that production does not name by digest."""
    env = place.environment(place.sha) | {"IMAGE_PREFIX": place.prefix}
    return wanted(
        _services([BASE, PRODUCTION], env, interpolated=False),
        _services([BASE, BUILD], env, interpolated=True),
    )


def _services(files: list[str], env: dict[str, str], *, interpolated: bool) -> dict[str, Any]:
    shown = json.loads(said(rendered(files, interpolated=interpolated), env))
    services: dict[str, Any] = shown["services"]
    return services
