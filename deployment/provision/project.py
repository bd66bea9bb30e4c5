"""What is there: the project's objects that bear our label, and what stands in the way of those wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deployment.provision.desired import address
from deployment.provision.refusal import Refused
from deployment.provision.resource import Thing, selector
from deployment.provision.sizes import LEAST_CORES, LEAST_DISK_GB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hcloud import Client
    from hcloud.firewalls import BoundFirewall
    from hcloud.server_types import BoundServerType

    from deployment.provision.settings import Settings

NONE = "none"


@dataclass
class Project:
    """The objects found, by kind and name; what is made is added."""

    client: Client
    settings: Settings
    objects: dict[tuple[str, str], Any] = field(default_factory=dict)

    def find(self) -> list[Thing]:
        """Ask for everything that is ours; returns it as things."""
        chosen = selector(self.settings.name)
        client = self.client
        things = [
            self._found("ssh_key", key, {"public_key": " ".join(key.public_key.split()[:2])})
            for key in _every(client.ssh_keys, chosen)
        ]
        things += [
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
            things.append(self._found("primary_ip", ip, fields))
        for volume in _every(client.volumes, chosen):
            fields = {
                "size": f"{volume.size} GB",
                "location": volume.location.name,
                "protected": _yes(volume.protection["delete"]),
            }
            things.append(self._found("volume", volume, fields))
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
            things.append(self._found("server", server, fields))
        return things + self._records(chosen)

    def refuse_taken(self, missing: Iterable[Thing]) -> None:
        """Raise Refused where a name wanted belongs to an object without our label."""
        clients: dict[str, Any] = {
            "ssh_key": self.client.ssh_keys,
            "firewall": self.client.firewalls,
            "primary_ip": self.client.primary_ips,
            "volume": self.client.volumes,
            "server": self.client.servers,
        }
        for thing in missing:
            taken = (
                self._record(thing.name)
                if thing.kind == "rrset"
                else clients[thing.kind].get_by_name(thing.name)
            )
            if taken is not None:
                raise Refused(
                    f"there is a {thing.kind} {thing.name} that provision did not make; rename or remove it "
                    "in the console, or choose another name in the settings"
                )

    def server_type(self) -> BoundServerType:
        """Return the type of machine wanted; raises Refused for one that is unknown or too small."""
        wanted, location = self.settings.server_type, self.settings.location
        known = {one.name: one for one in self.client.server_types.get_all()}
        if wanted not in known:
            raise Refused(
                f"Hetzner has no server_type {wanted}; choose one of {', '.join(sorted(map(str, known)))}"
            )
        kind = known[wanted]
        if (kind.cores or 0) < LEAST_CORES or (kind.disk or 0) < LEAST_DISK_GB:
            raise Refused(
                f"server_type {wanted} has {kind.cores} cores and {kind.disk} GB of disk; the archive wants "
                f"{LEAST_CORES} and {LEAST_DISK_GB} at least: choose a larger one"
            )
        places = {str(one.location.name): one for one in kind.locations or []}
        if location not in places:
            raise Refused(
                f"server_type {wanted} is not offered in {location}; choose one of "
                f"{', '.join(sorted(places))}"
            )
        return kind

    def refuse_sold_out(self, kind: BoundServerType) -> None:
        """Raise Refused while a location has none left, before anything is made that costs money."""
        location = self.settings.location
        place = next(one for one in kind.locations or [] if one.location.name == location)
        if place.available is False:
            elsewhere = [str(one.location.name) for one in kind.locations or [] if one.available is not False]
            raise Refused(
                f"server_type {kind.name} is sold out in {location}; choose another type, or another place "
                f"({', '.join(sorted(elsewhere)) or 'none has it now'}), or try again later"
            )

    def addresses(self) -> dict[str, str]:
        """Return the machine's addresses, as far as they are made, by version."""
        return {
            str(ip.type): address(str(ip.ip))
            for (kind, _), ip in self.objects.items()
            if kind == "primary_ip"
        }

    def volume_id(self) -> int | None:
        """Return the archive's disk, if it is made."""
        volume = self.objects.get(("volume", f"{self.settings.name}-data"))
        return None if volume is None else int(volume.id)

    def _records(self, chosen: str) -> list[Thing]:
        if self.settings.zone is None:
            return []
        zone = self.client.zones.get(self.settings.zone)
        self.objects["zone", self.settings.zone] = zone
        things = []
        for rrset in zone.get_rrset_all(label_selector=chosen):
            name = f"{rrset.name}/{rrset.type}"
            fields = {
                "records": " ".join(sorted(str(one.value) for one in rrset.records or [])),
                "ttl": str(rrset.ttl),
            }
            self.objects["rrset", name] = rrset
            things.append(Thing("rrset", name, fields))
        return things

    def _record(self, name: str) -> Any:
        label, _, kind = name.rpartition("/")
        zone = self.objects["zone", str(self.settings.zone)]
        found = zone.get_rrset_all(name=label, type=[kind])
        return found[0] if found else None

    def _found(self, kind: str, bound: Any, fields: dict[str, str]) -> Thing:
        self.objects[kind, bound.name] = bound
        return Thing(kind, bound.name, fields)


def _every(client: Any, chosen: str) -> Any:
    """Return objects as they come: the library calls optional what the API always gives."""
    return client.get_all(label_selector=chosen)


def _rules(wall: BoundFirewall) -> str:
    said = []
    for rule in wall.rules or []:
        networks = " ".join(sorted(rule.source_ips if rule.direction == "in" else rule.destination_ips))
        way = "from" if rule.direction == "in" else "to"
        port = f" {rule.port}" if rule.port else ""
        said.append(f"{rule.protocol}{port} {way} {networks}")
    return "; ".join(sorted(said))


def _yes(what: object) -> str:
    return "yes" if what else "no"
