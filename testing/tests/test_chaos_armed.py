"""A daemon under arms dies where it was told to, and of nothing else."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from services.shared.crash_points import CrashPoint
from testing.harness.daemons import Daemon
from testing.proof.chaos import armed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_writer_dies_of_kill_9_at_the_point_it_was_armed_with(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    settings = {"ARCHIVE_ROOT": str(root), "REDIS_URL": "redis://writer:none@127.0.0.1:1/0"}
    daemon = Daemon("services.data_writer.main", settings, tmp_path / "writer.log")
    daemon.starter = ("testing.proof.chaos.armed", CrashPoint.RECOVER_SWEPT, "1")
    daemon.start("--once")
    assert daemon.wait(60) == -signal.SIGKILL
    assert (root / ".state/locks").is_dir(), "it had begun to work"


def test_only_the_nth_time_of_the_right_point_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda _pid, number: killed.append(number))
    death = armed.Death(CrashPoint.CLAIM_READ, 2)
    death(CrashPoint.CLAIM_FOUND)
    death(CrashPoint.CLAIM_READ)
    assert killed == []
    death(CrashPoint.CLAIM_READ)
    assert killed == [signal.SIGKILL]
    death(CrashPoint.CLAIM_READ)
    assert killed == [signal.SIGKILL]
