"""Pure: what the deploy agent is asked to do."""

from __future__ import annotations

import re
from typing import NamedTuple

USAGE = "deploy|rollback|status <commit, 40 hexadecimal digits>"
_ORDER = re.compile(r"(deploy|rollback|status) ([0-9a-f]{40})")


class Order(NamedTuple):
    """A verb and the whole name of a commit."""

    verb: str
    sha: str


def parse(asked: str) -> Order | None:
    """Return the order, or None for anything else, be it one blank too much."""
    found = _ORDER.fullmatch(asked)
    return Order(found[1], found[2]) if found else None
