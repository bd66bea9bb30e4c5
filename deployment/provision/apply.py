"""The steps of a plan, made; and their opposite. Each step can be made again after a stop at any place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hcloud.firewalls import FirewallResource, FirewallRule
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers import ServerCreatePublicNetwork
from hcloud.zones import ZoneRecord

from deployment.provision.plan import Change, gigabytes
from deployment.provision.resource import KINDS, labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hcloud.actions import BoundAction

    from deployment.provision.cloud_init import CloudConfig
    from deployment.provision.project import Project
    from deployment.provision.resource import Thing

KEPT = ("volume", "primary_ip")
"""What destroy leaves, unless each is named: the archive, and the addresses that others know."""


def create(project: Project, thing: Thing, user_data: Callable[[], CloudConfig]) -> None:
    """Make an object, protected where its fields say so; `user_data` gives the cloud-config."""
    client, name, fields = project.client, project.settings.name, thing.fields
    common: dict[str, Any] = {"name": thing.name, "labels": labels(name)}
    if thing.kind == "ssh_key":
        made: Any = client.ssh_keys.create(public_key=fields["public_key"], **common)
    elif thing.kind == "firewall":
        made = client.firewalls.create(rules=firewall_rules(fields["rules"]), **common).firewall
    elif thing.kind == "primary_ip":
        made = client.primary_ips.create(
            type=fields["type"], location=Location(name=fields["location"]), auto_delete=False, **common
        ).primary_ip
    elif thing.kind == "volume":
        place = Location(name=fields["location"])
        answer = client.volumes.create(
            size=gigabytes(fields["size"]), location=place, format="ext4", **common
        )
        made = answer.volume
        for action in [answer.action, *answer.next_actions]:
            action.wait_until_finished()
    elif thing.kind == "server":
        made = _create_server(project, thing, user_data())
    else:
        label, _, kind = thing.name.rpartition("/")
        zone = project.objects["zone", str(project.settings.zone)]
        answer = zone.create_rrset(
            name=label,
            type=kind,
            ttl=int(fields["ttl"]),
            labels=labels(name),
            records=[ZoneRecord(project.addresses()["ipv4" if kind == "A" else "ipv6"])],
        )
        answer.action.wait_until_finished()
        made = answer.rrset
    project.objects[thing.key] = made
    if fields.get("protected") == "yes":
        protect(project, thing, on=True)


def change(project: Project, step: Change) -> None:
    """Set one field to what is wanted."""
    thing, bound = step.thing, project.objects[step.thing.key]
    value = thing.fields[step.field]
    if step.field == "protected":
        protect(project, thing, on=True)
        return
    ways: dict[tuple[str, str], Callable[[], list[BoundAction]]] = {
        ("firewall", "rules"): lambda: bound.set_rules(firewall_rules(value)),
        ("primary_ip", "survives"): lambda: bound.update(auto_delete=False) and [],
        ("volume", "size"): lambda: [bound.resize(gigabytes(value))],
        ("server", "backups"): lambda: [bound.enable_backup()],
        ("server", "firewall"): lambda: project.objects["firewall", value].apply_to_resources(
            [FirewallResource(type="server", server=bound)]
        ),
        ("server", "volume"): lambda: [project.objects["volume", value].attach(bound, automount=False)],
        ("rrset", "records"): lambda: [bound.set_rrset_records([ZoneRecord(value)])],
        ("rrset", "ttl"): lambda: [bound.change_rrset_ttl(int(value))],
    }
    for action in ways[thing.kind, step.field]():
        action.wait_until_finished()


def destroy(project: Project, found: Iterable[Thing], also: frozenset[str]) -> list[str]:
    """Remove what was found, the server first; returns what was kept."""
    kept = []
    for thing in sorted(found, key=lambda one: -KINDS.index(one.kind)):
        if thing.kind in KEPT and thing.name not in also:
            kept.append(f"{thing.kind} {thing.name}")
            continue
        if thing.kind in ("server", *KEPT):
            protect(project, thing, on=False)
        bound = project.objects[thing.key]
        if thing.kind == "rrset":
            bound.delete_rrset().action.wait_until_finished()
        elif thing.kind == "server":
            bound.delete().wait_until_finished()
        else:
            bound.delete()
    return kept


def protect(project: Project, thing: Thing, *, on: bool) -> None:
    """Guard an object against deletion by mistake, or lift that."""
    also = {"rebuild": on} if thing.kind == "server" else {}
    project.objects[thing.key].change_protection(delete=on, **also).wait_until_finished()


def firewall_rules(text: str) -> list[FirewallRule]:
    """Return rules as the API takes them from how a person reads them."""
    rules = []
    for line in text.split("; "):
        what, _, networks = line.partition(" from ")
        protocol, _, port = what.partition(" ")
        rules.append(
            FirewallRule(direction="in", protocol=protocol, port=port or None, source_ips=networks.split())
        )
    return rules


def _create_server(project: Project, thing: Thing, config: CloudConfig) -> Any:
    name, fields, objects = project.settings.name, thing.fields, project.objects
    answer = project.client.servers.create(
        name=thing.name,
        server_type=ServerType(name=fields["type"]),
        image=Image(name=fields["image"]),
        location=Location(name=fields["location"]),
        ssh_keys=[objects["ssh_key", f"{name}-admin"]],
        volumes=[objects["volume", f"{name}-data"]],
        firewalls=[objects["firewall", name]],
        public_net=ServerCreatePublicNetwork(
            ipv4=objects["primary_ip", f"{name}-ipv4"], ipv6=objects["primary_ip", f"{name}-ipv6"]
        ),
        user_data=config.text,
        automount=False,
        labels={**labels(name), "user-data": config.label},
    )
    for action in [answer.action, *answer.next_actions]:
        action.wait_until_finished()
    answer.server.enable_backup().wait_until_finished()
    return answer.server
