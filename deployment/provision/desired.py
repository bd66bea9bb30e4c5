"""Pure: the objects that settings ask for."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from deployment.provision.resource import Thing

if TYPE_CHECKING:
    from deployment.provision.settings import Settings

EVERYWHERE = ("0.0.0.0/0", "::/0")
TTL_SECONDS = 300
NOT_YET = "known when it is made"


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


def wanted(settings: Settings, user_data: str | None, addresses: dict[str, str]) -> list[Thing]:
    """Return all of them; what depends on objects that are not made yet says so."""
    name = settings.name
    things = [
        Thing("ssh_key", f"{name}-admin", {"public_key": settings.admin_key}),
        Thing("firewall", name, {"rules": "; ".join(sorted(rules(settings)))}),
        Thing(
            "volume",
            f"{name}-data",
            {
                "size": f"{settings.volume_gb} GB",
                "location": settings.location,
                "protected": "yes",
            },
        ),
        Thing(
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
                "user_data": user_data or NOT_YET,
            },
        ),
    ]
    for version in ("ipv4", "ipv6"):
        fields = {"type": version, "location": settings.location, "survives": "yes", "protected": "yes"}
        things.append(Thing("primary_ip", f"{name}-{version}", fields))
    if settings.zone is not None:
        label = settings.site.removesuffix(settings.zone).rstrip(".") or "@"
        for version, kind in (("ipv4", "A"), ("ipv6", "AAAA")):
            records = {"records": addresses.get(version, NOT_YET), "ttl": str(TTL_SECONDS)}
            things.append(Thing("rrset", f"{label}/{kind}", records))
    return things


def address(ip: str) -> str:
    """Return the machine's address in what a primary IP is: itself, or the first host of its network."""
    return ip if "/" not in ip else str(ip_network(ip)[1])
