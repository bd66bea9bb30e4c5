"""Apply the changes of a plan, and destroy. Every step can be repeated after an interruption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hcloud.firewalls import FirewallResource, FirewallRule
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from hcloud.servers import ServerCreatePublicNetwork
from hcloud.zones import ZoneRecord

from deployment.provision.plan import KINDS, Change, gigabytes, labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hcloud.actions import BoundAction

    from deployment.provision.cloud_init import CloudConfig
    from deployment.provision.plan import Resource
    from deployment.provision.project import Project

RETAINED = ("volume", "primary_ip")
"""Kinds that destroy leaves unless the object is named: the archive, and its public addresses."""


def create(project: Project, resource: Resource, user_data: Callable[[], CloudConfig]) -> None:
    """Create a resource, protected where its fields say so; `user_data` returns the cloud-config."""
    client, name, fields = project.client, project.settings.name, resource.fields
    common: dict[str, Any] = {"name": resource.name, "labels": labels(name)}
    if resource.kind == "ssh_key":
        made: Any = client.ssh_keys.create(public_key=fields["public_key"], **common)
    elif resource.kind == "firewall":
        made = client.firewalls.create(rules=firewall_rules(fields["rules"]), **common).firewall
    elif resource.kind == "primary_ip":
        made = client.primary_ips.create(
            type=fields["type"], location=Location(name=fields["location"]), auto_delete=False, **common
        ).primary_ip
    elif resource.kind == "volume":
        place = Location(name=fields["location"])
        answer = client.volumes.create(
            size=gigabytes(fields["size"]), location=place, format="ext4", **common
        )
        made = answer.volume
        for action in [answer.action, *answer.next_actions]:
            action.wait_until_finished()
    elif resource.kind == "server":
        made = _create_server(project, resource, user_data())
    else:
        label, _, kind = resource.name.rpartition("/")
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
    project.objects[resource.key] = made
    if fields.get("protected") == "yes":
        protect(project, resource, on=True)


def change(project: Project, step: Change) -> None:
    """Set one field to its desired value."""
    resource, bound = step.resource, project.objects[step.resource.key]
    value = resource.fields[step.field]
    if step.field == "protected":
        protect(project, resource, on=True)
        return
    setters: dict[tuple[str, str], Callable[[], list[BoundAction]]] = {
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
    for action in setters[resource.kind, step.field]():
        action.wait_until_finished()


def destroy(project: Project, found: Iterable[Resource], also: frozenset[str]) -> list[str]:
    """Delete the resources found, the server first; returns those that are retained."""
    retained = []
    for resource in sorted(found, key=lambda one: -KINDS.index(one.kind)):
        if resource.kind in RETAINED and resource.name not in also:
            retained.append(f"{resource.kind} {resource.name}")
            continue
        if resource.kind in ("server", *RETAINED):
            protect(project, resource, on=False)
        bound = project.objects[resource.key]
        if resource.kind == "rrset":
            bound.delete_rrset().action.wait_until_finished()
        elif resource.kind == "server":
            bound.delete().wait_until_finished()
        else:
            bound.delete()
    return retained


def protect(project: Project, resource: Resource, *, on: bool) -> None:
    """Set or lift the protection of a resource against deletion."""
    also = {"rebuild": on} if resource.kind == "server" else {}
    project.objects[resource.key].change_protection(delete=on, **also).wait_until_finished()


def firewall_rules(text: str) -> list[FirewallRule]:
    """Parse the text of rules into those of the API."""
    rules = []
    for line in text.split("; "):
        what, _, networks = line.partition(" from ")
        protocol, _, port = what.partition(" ")
        rules.append(
            FirewallRule(direction="in", protocol=protocol, port=port or None, source_ips=networks.split())
        )
    return rules


def _create_server(project: Project, resource: Resource, config: CloudConfig) -> Any:
    name, fields, objects = project.settings.name, resource.fields, project.objects
    answer = project.client.servers.create(
        name=resource.name,
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
