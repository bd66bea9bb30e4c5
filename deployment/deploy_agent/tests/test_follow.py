"""The work goes on without its watcher, and its end is seen whatever it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from deployment.deploy_agent.errors import DIED
from deployment.deploy_agent.follow import follow, start
from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.order import Order
from testing.harness.daemons import REPOSITORY
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ORDER = Order("deploy", "a" * 40)
WORKER = """
import os, sys
from pathlib import Path
from deployment.deploy_agent.follow import finish
from deployment.deploy_agent.layout import Layout
root, verb, sha, log = sys.argv[1:]
print("begun", os.getpid(), flush=True)
while not Path(root, "go").exists():
    os.sched_yield()
print("done", verb, sha[:3], flush=True)
finish(Layout(Path(root)), Path(log), 3)
"""


def _worker(root: Path) -> list[str]:
    # The repository on the path, whatever the working directory.
    words = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}){WORKER}"
    return [sys.executable, "-c", words, str(root)]


def _pid(log: Path) -> int:
    wait_for(lambda: log.read_text("utf-8").startswith("begun"), 20, "the work has begun")
    return int(log.read_text("utf-8").split()[1])


def test_the_log_and_the_exit_code_arrive(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    work = start(Layout(tmp_path), ORDER, _worker(tmp_path))
    pid = _pid(work.log)
    (tmp_path / "go").touch()
    assert follow(work) == 3
    assert capfdbinary.readouterr().out == f"begun {pid}\ndone deploy aaa\n".encode()
    kept = list(Layout(tmp_path).logs.glob("*.log"))
    assert [path.read_text("utf-8") for path in kept] == [f"begun {pid}\ndone deploy aaa\n"]


def test_work_that_is_killed_is_told_as_dead(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    work = start(Layout(tmp_path), ORDER, _worker(tmp_path))
    os.kill(_pid(work.log), signal.SIGKILL)
    assert follow(work) == DIED
    assert b"ended without a word" in capfdbinary.readouterr().out


def test_the_work_outlives_its_watcher(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from deployment.deploy_agent.follow import follow, start\n"
        "from deployment.deploy_agent.layout import Layout; from deployment.deploy_agent.order import Order\n"
        f"work = start(Layout(Path({str(tmp_path)!r})), Order('deploy', 'a' * 40), sys.argv[1:])\n"
        "print(work.log, flush=True); follow(work)\n"
    )
    watcher = subprocess.Popen(
        [sys.executable, "-c", code, *_worker(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert watcher.stdout is not None
    log = Layout(tmp_path).run / watcher.stdout.readline().strip()
    _pid(log)
    # As the kernel ends a session whose terminal is gone: every process of it.
    os.killpg(watcher.pid, signal.SIGKILL)
    watcher.wait(10)
    watcher.stdout.close()
    (tmp_path / "go").touch()
    ended = log.with_suffix(".code")
    wait_for(ended.exists, 20, "the work came to its end")
    wait_for(lambda: ended.read_text("utf-8") == "3", 5, "its exit code is there")
