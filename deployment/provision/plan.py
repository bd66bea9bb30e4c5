"""The objects at Hetzner that settings desire, and the changes from those found to those desired. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deployment.provision.settings import Settings

KINDS = ("ssh_key", "firewall", "primary_ip", "volume", "server", "rrset")
"""In the order in which they are created; each needs only those before it."""
EVERYWHERE = ("0.0.0.0/0", "::/0")
TTL_SECONDS = 300
UNKNOWN = "known when it is created"
MANUAL = {
    (
        "ssh_key",
        "public_key",
    ): "Hetzner uses it only when it creates a server; change authorized_keys on the host",
    ("server", "user_data"): "it is used at the first boot only; a server is never replaced for it",
    ("server", "type"): "rescale it in the console, powered off, then run provision again",
    ("server", "image"): "it is used at the first boot only; a server is never replaced for it",
    ("server", "location"): "a server cannot move; README, chapter Move region",
    ("volume", "location"): "a Volume cannot move; README, chapter Move region",
    ("volume", "size"): "a Volume cannot shrink; put the larger size into the settings",
    ("primary_ip", "location"): "an address cannot move; README, chapter Move region",
    ("primary_ip", "type"): "rename it in the console; provision creates another",
}
"""Differences that are shown and not applied, by kind and field, and what a person can do about them."""


@dataclass(frozen=True)
class Resource:
    """One object at Hetzner, desired or found; `fields` hold text that a plan can show."""

    kind: str
    name: str
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What identifies it in a project."""
        return self.kind, self.name


@dataclass(frozen=True)
class Change:
    """A resource to create, a field to change, or (with `why`) a difference that is not applied."""

    resource: Resource
    field: str = ""
    found: str = ""
    why: str = ""

    def __str__(self) -> str:
        """Return one line of the plan."""
        name = f"{self.resource.kind} {self.resource.name}"
        if not self.field:
            fields = ", ".join(f"{key} {value}" for key, value in self.resource.fields.items())
            return f"+ {name}: {fields}"
        mark, value = ("!" if self.why else "~"), self.resource.fields[self.field]
        line = f"{mark} {name}: {self.field} is {self.found or 'nothing'}, desired {value}"
        return f"{line} ({self.why})" if self.why else line


def labels(name: str) -> dict[str, str]:
    """Return the labels of every object of an archive; a project may hold two archives."""
    return {"app": "bluesky-archive", "managed-by": "provision", "archive": name}


def selector(name: str) -> str:
    """Return the label selector of an archive's objects."""
    return ",".join(f"{key}={value}" for key, value in labels(name).items())


def rules(settings: Settings) -> list[str]:
    """Return the firewall's rules, each as protocol, port and networks."""
    from_all = " ".join(sorted(EVERYWHERE))
    return [
        f"tcp 22 from {' '.join(sorted(settings.ssh_from))}",
        f"tcp 80 from {from_all}",
        f"tcp 443 from {from_all}",
        f"udp 443 from {from_all}",
        f"icmp from {from_all}",
    ]


def desired(settings: Settings, user_data: str | None, addresses: dict[str, str]) -> list[Resource]:
    """Return all desired resources; fields that depend on objects yet to be created are UNKNOWN."""
    name = settings.name
    resources = [
        Resource("ssh_key", f"{name}-admin", {"public_key": settings.admin_key}),
        Resource("firewall", name, {"rules": "; ".join(sorted(rules(settings)))}),
        Resource(
            "volume",
            f"{name}-data",
            {
                "size": f"{settings.volume_gb} GB",
                "location": settings.location,
                "protected": "yes",
            },
        ),
        Resource(
            "server",
            name,
            {
                "type": settings.server_type,
                "image": settings.image,
                "location": settings.location,
                "firewall": name,
                "volume": f"{name}-data",
                "backups": "on",
                "protected": "yes",
                "user_data": user_data or UNKNOWN,
            },
        ),
    ]
    for version in ("ipv4", "ipv6"):
        fields = {"type": version, "location": settings.location, "survives": "yes", "protected": "yes"}
        resources.append(Resource("primary_ip", f"{name}-{version}", fields))
    if settings.zone is not None:
        label = settings.site.removesuffix(settings.zone).rstrip(".") or "@"
        for version, kind in (("ipv4", "A"), ("ipv6", "AAAA")):
            records = {"records": addresses.get(version, UNKNOWN), "ttl": str(TTL_SECONDS)}
            resources.append(Resource("rrset", f"{label}/{kind}", records))
    return resources


def address(ip: str) -> str:
    """Return the machine's address for a primary IP: the IP itself, or the first host of its network."""
    return ip if "/" not in ip else str(ip_network(ip)[1])


def plan(wanted: Iterable[Resource], found: Iterable[Resource]) -> list[Change]:
    """Return the changes in the order in which they can be applied."""
    present = {resource.key: resource for resource in found}
    changes = []
    for resource in sorted(wanted, key=lambda one: KINDS.index(one.kind)):
        if resource.key not in present:
            changes.append(Change(resource))
            continue
        has = present[resource.key].fields
        for name, value in resource.fields.items():
            if has.get(name) != value:
                changes.append(
                    Change(resource, name, has.get(name, ""), _why(resource, name, has.get(name, "")))
                )
    return changes


def steps(changes: Iterable[Change]) -> list[Change]:
    """Return the changes that apply makes."""
    return [change for change in changes if not change.why]


def gigabytes(size: str) -> int:
    """Return the number in `200 GB`."""
    return int(size.partition(" ")[0])


def _why(resource: Resource, name: str, found: str) -> str:
    if (resource.kind, name) == ("volume", "size") and gigabytes(found) < gigabytes(resource.fields[name]):
        return ""
    return MANUAL.get((resource.kind, name), "")
