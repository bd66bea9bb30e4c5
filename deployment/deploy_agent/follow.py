"""The work apart from whoever waits for it: it has a session of its own, and its log is what they read.

The log's flock is the work's sign of life: the worker inherits it with its standard output, and the kernel
frees it when the worker ends, however it ends.
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

from deployment.deploy_agent.errors import DIED

if TYPE_CHECKING:
    from deployment.deploy_agent.layout import Layout
    from deployment.deploy_agent.order import Order

SYSTEMD = Path("/run/systemd/system")
BETWEEN_SECONDS = 0.2


class Work(NamedTuple):
    """Work under way: its log, which it holds, and the process that was started."""

    log: Path
    process: subprocess.Popen[bytes]


def start(layout: Layout, order: Order, worker: list[str]) -> Work:
    """Start the work."""
    layout.run.mkdir(parents=True, exist_ok=True)
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = layout.run / f"{at}-{order.verb}-{order.sha[:12]}-{time.monotonic_ns() % 1_000_000}.log"
    words = [*_scope(path.stem), *worker, order.verb, order.sha, str(path)]
    with path.open("xb") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        process = subprocess.Popen(
            words,
            # Nothing of the session: what SSH asked for would make another deploy agent of the worker.
            env={"PATH": os.environ.get("PATH", os.defpath)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return Work(path, process)


def finish(layout: Layout, log: Path, code: int) -> None:
    """Leave the exit code for whoever follows, and the log where it stays."""
    log.with_suffix(".code").write_text(str(code), "utf-8")
    try:
        layout.logs.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, layout.logs / log.name)
    except OSError as error:
        print(f"the log stays only until the next boot, in {log}: {error}", flush=True)  # noqa: T201 - the log


def follow(work: Work) -> int:
    """Print the log until the work ends; returns its exit code."""
    path = work.log
    code = path.with_suffix(".code")
    with path.open("rb") as log:
        ended = False
        while True:
            said = log.read()
            if said:
                sys.stdout.buffer.write(said)
                sys.stdout.flush()
            elif ended:
                break
            else:
                ended = _is_free(path)
                time.sleep(0 if ended else BETWEEN_SECONDS)
    # Its log is free: it is gone, or going.
    work.process.wait()
    if not code.exists():
        print("the work on the host ended without a word; ask for the status")  # noqa: T201 - for who waits
        return DIED
    ended_with = int(code.read_text("utf-8"))
    for done in (path, code):
        done.unlink()
    return ended_with


def _is_free(path: Path) -> bool:
    # A file of its own: the lock belongs to the open file, not to us.
    with path.open("rb") as asked:
        try:
            fcntl.flock(asked, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _scope(name: str) -> list[str]:
    """Out of the SSH session's group of processes, which may be ended with it."""
    if not SYSTEMD.is_dir():
        return []
    return ["systemd-run", "--quiet", "--scope", "--collect", f"--unit=archive-{name}"]
