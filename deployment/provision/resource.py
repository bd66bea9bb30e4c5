"""An object at Hetzner, wanted or found, as the few fields that are ours to decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("ssh_key", "firewall", "primary_ip", "volume", "server", "rrset")
"""In the order in which they are made; each needs only those before it."""


def labels(name: str) -> dict[str, str]:
    """Return what every object of an archive bears: there may be two in a project."""
    return {"app": "bluesky-archive", "managed-by": "provision", "archive": name}


def selector(name: str) -> str:
    """Return the question for them."""
    return ",".join(f"{key}={value}" for key, value in labels(name).items())


@dataclass(frozen=True)
class Thing:
    """One object: `fields` are written as a person reads them, so that a difference can be shown."""

    kind: str
    name: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What it is found again by."""
        return self.kind, self.name
