"""One order at a time: a flock, which the kernel frees however its holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from deployment.deploy_agent.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deployment.deploy_agent.order import Order


@contextlib.contextmanager
def held(path: Path, order: Order) -> Iterator[None]:
    """Hold the lock; raises Busy, with who holds it and since when."""
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
    """Return whether somebody holds it."""
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def holder(path: Path) -> str:
    """Return what the holder wrote about itself."""
    return path.read_text(encoding="utf-8") or "another order"
