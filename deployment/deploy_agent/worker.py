"""A worker process that outlives the SSH session: start it in a session of its own, and follow its log.

The worker inherits the log's flock with its standard output; the kernel releases it when the worker ends,
however it ends, which is how a follower detects the end.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deployment.deploy_agent.orders import DIED

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.orders import Order

SYSTEMD = Path("/run/systemd/system")
POLL_SECONDS = 0.2


class Worker(NamedTuple):
    """A running worker: the log that it holds locked, and the process that was started."""

    log: Path
    process: subprocess.Popen[bytes]


def start(layout: Layout, order: Order, command: list[str]) -> Worker:
    """Start `command` with the order and the path of its log as further words."""
    layout.run.mkdir(parents=True, exist_ok=True)
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = layout.run / f"{at}-{order.verb}-{order.sha[:12]}-{time.monotonic_ns() % 1_000_000}.log"
    words = [*_scope(path.stem), *command, order.verb, order.sha, str(path)]
    with path.open("xb") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        process = subprocess.Popen(
            words,
            # Without SSH_ORIGINAL_COMMAND, which would make the worker take the order itself.
            env={"PATH": os.environ.get("PATH", os.defpath)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return Worker(path, process)


def finish(layout: Layout, log: Path, code: int) -> None:
    """Write the exit code for the follower, and copy the log to its permanent place."""
    log.with_suffix(".code").write_text(str(code), "utf-8")
    try:
        layout.logs.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, layout.logs / log.name)
    except OSError as error:
        print(f"the log is kept only until the next boot, in {log}: {error}", flush=True)  # noqa: T201 - the log


def follow(worker: Worker) -> int:
    """Print the log until the worker ends; returns its exit code."""
    path = worker.log
    code = path.with_suffix(".code")
    with path.open("rb") as log:
        ended = False
        while True:
            written = log.read()
            if written:
                sys.stdout.buffer.write(written)
                sys.stdout.flush()
            elif ended:
                break
            else:
                ended = _is_free(path)
                time.sleep(0 if ended else POLL_SECONDS)
    # Its log is unlocked: it has ended, or is about to.
    worker.process.wait()
    if not code.exists():
        print("the worker on the host ended without an exit code; request the status")  # noqa: T201 - for the client
        return DIED
    ended_with = int(code.read_text("utf-8"))
    for done in (path, code):
        done.unlink()
    return ended_with


def _is_free(path: Path) -> bool:
    # Opened again: an flock belongs to the open file, not to the process.
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _scope(name: str) -> list[str]:
    """Return a prefix that runs a command outside the SSH session's cgroup, which may be killed with it."""
    if not SYSTEMD.is_dir():
        return []
    return ["systemd-run", "--quiet", "--scope", "--collect", f"--unit=archive-{name}"]
