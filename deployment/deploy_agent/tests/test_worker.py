"""A worker goes on without its follower, and its end is detected however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.orders import DIED, Order
from deployment.deploy_agent.worker import follow, start
from testing.harness.daemons import REPOSITORY
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ORDER = Order("deploy", "a" * 40)
WORKER = """
import os, sys
from pathlib import Path
from deployment.deploy_agent.worker import finish
from deployment.deploy_agent.layout import Layout
root, verb, sha, log = sys.argv[1:]
print("started", os.getpid(), flush=True)
while not Path(root, "go").exists():
    os.sched_yield()
print("done", verb, sha[:3], flush=True)
finish(Layout(Path(root)), Path(log), 3)
"""


def _command(root: Path) -> list[str]:
    # The repository on the path, whatever the working directory.
    words = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}){WORKER}"
    return [sys.executable, "-c", words, str(root)]


def _pid(log: Path) -> int:
    wait_for(lambda: log.read_text("utf-8").startswith("started"), 20, "the worker has started")
    return int(log.read_text("utf-8").split()[1])


def test_the_log_and_the_exit_code_arrive(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    worker = start(Layout(tmp_path), ORDER, _command(tmp_path))
    pid = _pid(worker.log)
    (tmp_path / "go").touch()
    assert follow(worker) == 3
    assert capfdbinary.readouterr().out == f"started {pid}\ndone deploy aaa\n".encode()
    kept = list(Layout(tmp_path).logs.glob("*.log"))
    assert [path.read_text("utf-8") for path in kept] == [f"started {pid}\ndone deploy aaa\n"]


def test_a_killed_worker_is_reported_as_dead(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    worker = start(Layout(tmp_path), ORDER, _command(tmp_path))
    os.kill(_pid(worker.log), signal.SIGKILL)
    assert follow(worker) == DIED
    assert b"ended without an exit code" in capfdbinary.readouterr().out


def test_a_worker_outlives_its_follower(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from deployment.deploy_agent.worker import follow, start\n"
        "from deployment.deploy_agent.layout import Layout\n"
        "from deployment.deploy_agent.orders import Order\n"
        f"worker = start(Layout(Path({str(tmp_path)!r})), Order('deploy', 'a' * 40), sys.argv[1:])\n"
        "print(worker.log, flush=True); follow(worker)\n"
    )
    follower = subprocess.Popen(
        [sys.executable, "-c", code, *_command(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert follower.stdout is not None
    log = Layout(tmp_path).run / follower.stdout.readline().strip()
    _pid(log)
    # As the kernel ends a session whose terminal is gone: every process in it.
    os.killpg(follower.pid, signal.SIGKILL)
    follower.wait(10)
    follower.stdout.close()
    (tmp_path / "go").touch()
    ended = log.with_suffix(".code")
    wait_for(ended.exists, 20, "the worker has ended")
    wait_for(lambda: ended.read_text("utf-8") == "3", 5, "its exit code is there")
