"""One at a time; the loser is told who and since when; the kernel frees what a killed holder held."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deployment.deploy_agent.errors import Busy
from deployment.deploy_agent.lock import held, holder, is_held
from deployment.deploy_agent.order import Order
from testing.harness.daemons import REPOSITORY
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

ORDER = Order("deploy", "a" * 40)
HOLDER = """
import sys, time
from pathlib import Path
from deployment.deploy_agent.lock import held
from deployment.deploy_agent.order import Order
with held(Path(sys.argv[1]), Order("deploy", "b" * 40)):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_is_told_who_and_since_when(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    with held(path, ORDER):
        assert is_held(path)
        with pytest.raises(Busy, match=r"deploy a{40} since \d\d:\d\d:\d\d UTC"), held(path, ORDER):
            pass
        # The loser left the winner's words alone.
        assert re.match("deploy a{40}", holder(path))
    assert not is_held(path)


def test_nobody_holds_what_was_never_made(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "lock")


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    words = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert is_held(path)
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not is_held(path), 10, "the lock is free")
    with held(path, ORDER):
        assert is_held(path)
