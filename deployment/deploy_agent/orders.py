"""Orders: their syntax and exit codes, the lock that lets one run at a time, and the host's status."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from deployment.deploy_agent.release import VERIFIED, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deployment.deploy_agent.layout import Layout

DONE, FAILED, STUCK = 0, 1, 2
"""Live, or nothing to do; failed and rolled back; failed, and the rollback failed too."""
NOT_AN_ORDER, REFUSED, DIED, BUSY = 64, 65, 70, 75
"""As in sysexits.h: usage, data, software, try again."""
USAGE = "deploy|rollback|status <commit, 40 hexadecimal digits>"
_ORDER = re.compile(r"(deploy|rollback|status) ([0-9a-f]{40})")


class Order(NamedTuple):
    """A verb and the full id of a commit."""

    verb: str
    sha: str


def parse(text: str) -> Order | None:
    """Return the order, or None for any other text, even one with a space too many."""
    found = _ORDER.fullmatch(text)
    return Order(found[1], found[2]) if found else None


class Busy(Exception):  # noqa: N818 - a state, as services/shared/errors.py names them
    """Another order is running; the message names it."""


@contextlib.contextmanager
def held(path: Path, order: Order) -> Iterator[None]:
    """Hold the lock, an flock that the kernel releases however its holder ends; raises Busy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"{holder(path)} is under way; it ends by itself, then try again") from None
        file.truncate(0)
        since = time.strftime("%H:%M:%S UTC", time.gmtime())
        file.write(f"{order.verb} {order.sha} since {since} (process {os.getpid()})")
        file.flush()
        yield
        file.truncate(0)


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock."""
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def holder(path: Path) -> str:
    """Return what the holder wrote into the lock file: order, time and process."""
    return path.read_text(encoding="utf-8") or "another order"


def status(layout: Layout, sha: str) -> tuple[int, list[str]]:
    """Return an exit code (live: 0, not live: 1, an order under way: 75) and lines for a person.

    Changes nothing and waits for nothing.
    """
    live = read(layout.verified)
    lines = [f"live: {live.sha} (no. {live.number})" if live else "live: nothing yet"]
    code = DONE if live is not None and live.sha == sha else FAILED
    if is_held(layout.lock):
        lines.append(f"under way: {holder(layout.lock)}")
        code = BUSY
    elif read(layout.current) != live:
        lines.append("the last order was interrupted; the next one starts from the state it left")
    for path in sorted(layout.releases.glob(f"*/{VERIFIED}"), key=lambda path: -path.stat().st_mtime):
        at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(path.stat().st_mtime))
        lines.append(f"on this host: {path.parent.name}, verified {at}")
    return code, lines
