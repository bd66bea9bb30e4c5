"""A project at Hetzner, in memory, and the forms of the API's answers as hcloud's client reads them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

CREATED = "2026-01-02T03:04:05+00:00"
TYPES = {
    "cx33": (4, 8.0, 80, "x86"),
    "cx23": (2, 4.0, 40, "x86"),
    "cax21": (4, 8.0, 80, "arm"),
    "cx43": (8, 16.0, 160, "x86"),
}
NAMES = ("ssh_keys", "firewalls", "primary_ips", "volumes", "servers")
LOCATIONS = ("nbg1", "fsn1")
Body = dict[str, Any]
PER_PAGE = 2
"""Small, so that clients have to read several pages."""


@dataclass
class State:
    """Objects by kind and id; server types in `sold_out` are not available."""

    objects: dict[str, dict[int, Body]] = field(default_factory=lambda: {kind: {} for kind in NAMES})
    rrsets: dict[str, Body] = field(default_factory=dict)
    sold_out: set[str] = field(default_factory=set)
    zones: tuple[str, ...] = ("example.org",)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1000))

    def add(self, kind: str, body: Body) -> Body:
        """Add an object from a request's body; returns it."""
        number = next(self._ids)
        common = {"id": number, "name": body["name"], "labels": body.get("labels", {}), "created": CREATED}
        self.objects[kind][number] = {**common, **KINDS[kind](self, number, body)}
        return self.objects[kind][number]

    def types(self) -> list[Body]:
        """Return the server types."""
        return [
            {
                "id": number,
                "name": name,
                "description": name.upper(),
                "category": "shared",
                "cores": cores,
                "memory": memory,
                "disk": disk,
                "prices": [],
                "storage_type": "local",
                "cpu_type": "shared",
                "architecture": architecture,
                "locations": [
                    {
                        "id": index,
                        "name": where,
                        "deprecation": None,
                        "available": name not in self.sold_out,
                        "recommended": True,
                    }
                    for index, where in enumerate(LOCATIONS)
                ],
            }
            for number, (name, (cores, memory, disk, architecture)) in enumerate(TYPES.items(), start=1)
        ]

    def _location(self, name: str) -> Body:
        return {
            "id": LOCATIONS.index(name),
            "name": name,
            "description": name,
            "country": "DE",
            "city": name,
            "latitude": 49.0,
            "longitude": 11.0,
            "network_zone": "eu-central",
        }

    def _ssh_key(self, number: int, body: Body) -> Body:
        return {"fingerprint": f"{number:032x}", "public_key": body["public_key"]}

    def _firewall(self, number: int, body: Body) -> Body:  # noqa: ARG002 - as the others
        return {"rules": [_rule(rule) for rule in body.get("rules", [])], "applied_to": []}

    def _primary_ip(self, number: int, body: Body) -> Body:
        return {
            "ip": f"192.0.2.{number % 256}" if body["type"] == "ipv4" else f"2001:db8:{number:x}::/64",
            "type": body["type"],
            "dns_ptr": [],
            "location": self._location(body["location"]),
            "blocked": False,
            "protection": {"delete": False},
            "assignee_id": None,
            "assignee_type": "server",
            "auto_delete": body["auto_delete"],
        }

    def _volume(self, number: int, body: Body) -> Body:
        return {
            "size": body["size"],
            "location": self._location(body["location"]),
            "linux_device": f"/dev/disk/by-id/scsi-0HC_Volume_{number}",
            "protection": {"delete": False},
            "server": None,
            "status": "available",
            "format": body.get("format"),
        }

    def _server(self, number: int, body: Body) -> Body:  # noqa: ARG002 - as the others
        ipv4 = self.objects["primary_ips"][body["public_net"]["ipv4"]]
        ipv6 = self.objects["primary_ips"][body["public_net"]["ipv6"]]
        return {
            "status": "running",
            "public_net": {
                "ipv4": {"id": ipv4["id"], "ip": ipv4["ip"], "blocked": False, "dns_ptr": ""},
                "ipv6": {"id": ipv6["id"], "ip": ipv6["ip"], "blocked": False, "dns_ptr": []},
                "floating_ips": [],
                "firewalls": [{"id": one["firewall"], "status": "applied"} for one in body["firewalls"]],
            },
            "server_type": next(one for one in self.types() if one["name"] == body["server_type"]),
            "location": self._location(body["location"]),
            "image": {"id": 1, "name": body["image"], "type": "system", "description": body["image"]},
            "iso": None,
            "rescue_enabled": False,
            "locked": False,
            "backup_window": None,
            "outgoing_traffic": 0,
            "ingoing_traffic": 0,
            "included_traffic": 0,
            "protection": {"delete": False, "rebuild": False},
            "volumes": body["volumes"],
            "private_net": [],
            "primary_disk_size": 80,
            "placement_group": None,
        }


KINDS = {
    "ssh_keys": State._ssh_key,  # noqa: SLF001 - its own table
    "firewalls": State._firewall,  # noqa: SLF001 - as above
    "primary_ips": State._primary_ip,  # noqa: SLF001 - as above
    "volumes": State._volume,  # noqa: SLF001 - as above
    "servers": State._server,  # noqa: SLF001 - as above
}


def rules(body: Body) -> list[Body]:
    """Return a firewall's rules with every key."""
    return [_rule(rule) for rule in body["rules"]]


def _rule(rule: Body) -> Body:
    empty: Body = {"source_ips": [], "destination_ips": [], "port": None, "description": None}
    return {**empty, **rule}


Answer = tuple[int, dict[str, Any]]


def page(kind: str, whole: list[dict[str, Any]], query: dict[str, list[str]]) -> Answer:
    """Return the requested page of a list."""
    number = int(query.get("page", ["1"])[0])
    pages = max(1, -(-len(whole) // PER_PAGE))
    turned = {
        "page": number,
        "per_page": PER_PAGE,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if number < pages else None,
        "last_page": pages,
        "total_entries": len(whole),
    }
    return 200, {kind: whole[(number - 1) * PER_PAGE : number * PER_PAGE], "meta": {"pagination": turned}}


def chosen(one: dict[str, Any], query: dict[str, list[str]]) -> bool:
    """Whether an object matches the filters of a list request."""
    selected = [pair.partition("=") for pair in query.get("label_selector", [""])[0].split(",") if pair]
    return (
        all(one["labels"].get(key) == value for key, _, value in selected)
        and one["name"] in query.get("name", [one["name"]])
        and one.get("type") in query.get("type", [one.get("type")])
    )


def zone(name: str) -> dict[str, Any]:
    """Return a DNS zone as the API describes it."""
    return {
        "id": 1,
        "name": name,
        "created": CREATED,
        "mode": "primary",
        "ttl": 3600,
        "labels": {},
        "protection": {"delete": False},
        "status": "ok",
        "record_count": 0,
        "registrar": "hetzner",
        "primary_nameservers": [],
        "authoritative_nameservers": {
            "assigned": [],
            "delegated": [],
            "delegation_last_check": None,
            "delegation_status": "valid",
        },
    }


def rrset(key: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a set of records from a request's body."""
    return {
        "id": key,
        "name": body["name"],
        "type": body["type"],
        "ttl": body.get("ttl"),
        "labels": body.get("labels", {}),
        "protection": {"change": False},
        "records": [{"comment": "", **one} for one in body["records"]],
        "zone": 1,
    }


def refuse(status: int, code: str, message: str) -> Answer:
    """Return a refusal."""
    return status, {"error": {"code": code, "message": message, "details": None}}
