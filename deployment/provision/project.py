"""The objects of a Hetzner project that bear our labels, and checks before others are created."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deployment.provision.cloud_init import MIN_CORES, MIN_DISK_GB
from deployment.provision.errors import Refused
from deployment.provision.plan import Resource, address, selector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hcloud import Client
    from hcloud.firewalls import BoundFirewall
    from hcloud.server_types import BoundServerType

    from deployment.provision.settings import Settings

NONE = "none"


@dataclass
class Project:
    """A project: its client, the settings, and its objects by kind and name, those created included."""

    client: Client
    settings: Settings
    objects: dict[tuple[str, str], Any] = field(default_factory=dict)

    def find(self) -> list[Resource]:
        """Request all objects with our labels; returns them as resources."""
        chosen = selector(self.settings.name)
        client = self.client
        resources = [
            self._found("ssh_key", key, {"public_key": " ".join(key.public_key.split()[:2])})
            for key in _every(client.ssh_keys, chosen)
        ]
        resources += [
            self._found("firewall", wall, {"rules": _rules(wall)})
            for wall in _every(client.firewalls, chosen)
        ]
        for ip in _every(client.primary_ips, chosen):
            fields = {
                "type": ip.type,
                "location": ip.location.name,
                "survives": _yes(not ip.auto_delete),
                "protected": _yes(ip.protection["delete"]),
            }
            resources.append(self._found("primary_ip", ip, fields))
        for volume in _every(client.volumes, chosen):
            fields = {
                "size": f"{volume.size} GB",
                "location": volume.location.name,
                "protected": _yes(volume.protection["delete"]),
            }
            resources.append(self._found("volume", volume, fields))
        walls = {self.objects[key].id: key[1] for key in self.objects if key[0] == "firewall"}
        disks = {self.objects[key].id: key[1] for key in self.objects if key[0] == "volume"}
        for server in _every(client.servers, chosen):
            fields = {
                "type": server.server_type.name,
                "image": server.image.name if server.image else NONE,
                "location": server.location.name,
                "firewall": " ".join(
                    walls.get(one.firewall.id, "another") for one in server.public_net.firewalls
                ),
                "volume": " ".join(disks.get(one.id, "another") for one in server.volumes or []),
                "backups": "on" if server.backup_window else "off",
                "protected": _yes(server.protection["delete"] and server.protection["rebuild"]),
                "user_data": server.labels.get("user-data", NONE),
            }
            resources.append(self._found("server", server, fields))
        return resources + self._records(chosen)

    def refuse_taken(self, missing: Iterable[Resource]) -> None:
        """Raise Refused where an object without our labels has the name of a missing one."""
        clients: dict[str, Any] = {
            "ssh_key": self.client.ssh_keys,
            "firewall": self.client.firewalls,
            "primary_ip": self.client.primary_ips,
            "volume": self.client.volumes,
            "server": self.client.servers,
        }
        for resource in missing:
            taken = (
                self._record(resource.name)
                if resource.kind == "rrset"
                else clients[resource.kind].get_by_name(resource.name)
            )
            if taken is not None:
                raise Refused(
                    f"there is a {resource.kind} {resource.name} that provision did not create; rename or "
                    "remove it in the console, or choose another name in the settings"
                )

    def server_type(self) -> BoundServerType:
        """Return the desired server type; raises Refused if it is unknown, too small or not offered there."""
        name, location = self.settings.server_type, self.settings.location
        known = {one.name: one for one in self.client.server_types.get_all()}
        if name not in known:
            raise Refused(
                f"Hetzner has no server_type {name}; choose one of {', '.join(sorted(map(str, known)))}"
            )
        kind = known[name]
        if (kind.cores or 0) < MIN_CORES or (kind.disk or 0) < MIN_DISK_GB:
            raise Refused(
                f"server_type {name} has {kind.cores} cores and {kind.disk} GB of disk; the archive needs "
                f"{MIN_CORES} and {MIN_DISK_GB} at least: choose a larger one"
            )
        places = {str(one.location.name): one for one in kind.locations or []}
        if location not in places:
            raise Refused(
                f"server_type {name} is not offered in {location}; choose one of {', '.join(sorted(places))}"
            )
        return kind

    def refuse_sold_out(self, kind: BoundServerType) -> None:
        """Raise Refused when a location has none left, before anything is created that costs money."""
        location = self.settings.location
        place = next(one for one in kind.locations or [] if one.location.name == location)
        if place.available is False:
            elsewhere = [str(one.location.name) for one in kind.locations or [] if one.available is not False]
            raise Refused(
                f"server_type {kind.name} is sold out in {location}; choose another type, another location "
                f"({', '.join(sorted(elsewhere)) or 'none has it now'}), or try again later"
            )

    def addresses(self) -> dict[str, str]:
        """Return the machine's addresses that exist, by version."""
        return {
            str(ip.type): address(str(ip.ip))
            for (kind, _), ip in self.objects.items()
            if kind == "primary_ip"
        }

    def volume_id(self) -> int | None:
        """Return the id of the archive's Volume, or None before it is created."""
        volume = self.objects.get(("volume", f"{self.settings.name}-data"))
        return None if volume is None else int(volume.id)

    def _records(self, chosen: str) -> list[Resource]:
        if self.settings.zone is None:
            return []
        zone = self.client.zones.get(self.settings.zone)
        self.objects["zone", self.settings.zone] = zone
        resources = []
        for rrset in zone.get_rrset_all(label_selector=chosen):
            name = f"{rrset.name}/{rrset.type}"
            fields = {
                "records": " ".join(sorted(str(one.value) for one in rrset.records or [])),
                "ttl": str(rrset.ttl),
            }
            self.objects["rrset", name] = rrset
            resources.append(Resource("rrset", name, fields))
        return resources

    def _record(self, name: str) -> Any:
        label, _, kind = name.rpartition("/")
        zone = self.objects["zone", str(self.settings.zone)]
        found = zone.get_rrset_all(name=label, type=[kind])
        return found[0] if found else None

    def _found(self, kind: str, bound: Any, fields: dict[str, str]) -> Resource:
        self.objects[kind, bound.name] = bound
        return Resource(kind, bound.name, fields)


def _every(client: Any, chosen: str) -> Any:
    """Return the objects untyped: the library declares fields optional that the API always sends."""
    return client.get_all(label_selector=chosen)


def _rules(wall: BoundFirewall) -> str:
    texts = []
    for rule in wall.rules or []:
        networks = " ".join(sorted(rule.source_ips if rule.direction == "in" else rule.destination_ips))
        way = "from" if rule.direction == "in" else "to"
        port = f" {rule.port}" if rule.port else ""
        texts.append(f"{rule.protocol}{port} {way} {networks}")
    return "; ".join(sorted(texts))


def _yes(value: object) -> str:
    return "yes" if value else "no"
