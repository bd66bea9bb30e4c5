"""What is sampled of a process and its children, while they come and go."""

from __future__ import annotations

import subprocess
import sys

import pytest

from testing.harness.waiting import wait_for
from testing.performance.load.sample import figures_of

PARENT = """
import subprocess, sys
print("begun", flush=True)
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.5: pass"])
print("ended", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a system does not tell what ended children used"
)
def test_what_a_child_used_is_still_counted_after_its_end() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        assert parent.stdout.readline() == "begun\n"
        seen = wait_for(lambda: _total(parent.pid, at_least=0.2), 60, "a child at work")
        assert parent.stdout.readline() == "ended\n"
        assert _total(parent.pid) >= max(seen, 0.5)
        parent.stdin.close()


def _total(pid: int, at_least: float = 0.0) -> float:
    used = figures_of("one", pid).get("cpu_total.one", 0.0)
    return used if used >= at_least else 0.0
