"""Pure: what lies between wanted and found, as changes that can be printed, counted and made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployment.provision.resource import KINDS, Thing

if TYPE_CHECKING:
    from collections.abc import Iterable

TOLD = {
    ("ssh_key", "public_key"): "Hetzner uses it at a server's birth only; change authorized_keys on the host",
    ("server", "user_data"): "it acts at a first boot only; a server is never replaced for it",
    ("server", "type"): "rescale it in the console, powered off, then run provision again",
    ("server", "image"): "it acts at a first boot only; a server is never replaced for it",
    ("server", "location"): "a server cannot move; README, chapter Move region",
    ("volume", "location"): "a Volume cannot move; README, chapter Move region",
    ("volume", "size"): "a Volume cannot shrink; put the larger size into the settings",
    ("primary_ip", "location"): "an address cannot move; README, chapter Move region",
    ("primary_ip", "type"): "rename it in the console; provision makes another",
}
"""Differences that are shown and left, and what a person can do about them."""


@dataclass(frozen=True)
class Change:
    """One step: an object to create, a field to change, or (with `why`) one to leave."""

    thing: Thing
    field: str = ""
    found: str = ""
    why: str = ""

    def __str__(self) -> str:
        """Return the line that a person reads."""
        name = f"{self.thing.kind} {self.thing.name}"
        if not self.field:
            fields = ", ".join(f"{key} {value}" for key, value in self.thing.fields.items())
            return f"+ {name}: {fields}"
        mark, wants = ("!" if self.why else "~"), self.thing.fields[self.field]
        line = f"{mark} {name}: {self.field} is {self.found or 'nothing'}, wanted {wants}"
        return f"{line} ({self.why})" if self.why else line


def plan(wanted: Iterable[Thing], found: Iterable[Thing]) -> list[Change]:
    """Return the steps in the order in which they can be made."""
    there = {thing.key: thing for thing in found}
    changes = []
    for thing in sorted(wanted, key=lambda one: KINDS.index(one.kind)):
        if thing.key not in there:
            changes.append(Change(thing))
            continue
        has = there[thing.key].fields
        for name, value in thing.fields.items():
            if has.get(name) != value:
                changes.append(Change(thing, name, has.get(name, ""), _why(thing, name, has.get(name, ""))))
    return changes


def steps(changes: Iterable[Change]) -> list[Change]:
    """Return those that apply makes."""
    return [change for change in changes if not change.why]


def gigabytes(size: str) -> int:
    """Return the number in `200 GB`."""
    return int(size.partition(" ")[0])


def _why(thing: Thing, name: str, found: str) -> str:
    if (thing.kind, name) == ("volume", "size") and gigabytes(found) < gigabytes(thing.fields[name]):
        return ""
    return TOLD.get((thing.kind, name), "")
