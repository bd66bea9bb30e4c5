"""Locks of streams, and the archive's id."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from services.archive.checkpoints import sweep_checkpoints
from services.archive.locks import archive_id, is_owned, owning
from services.archive.paths import lock_path
from services.shared.crash_points import CrashPoint, armed
from services.shared.errors import BrokenInvariant
from services.shared.event import Stream
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, pathlib
from services.archive.locks import owning
from services.shared.event import Stream
with owning(pathlib.Path(sys.argv[1]), [Stream.POSTS]):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_a_stream_has_one_owner_and_is_free_after_kill_9(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mine\n"
        with (
            pytest.raises(BrokenInvariant, match="another writer owns the stream posts"),
            owning(tmp_path, [Stream.LIKES, Stream.POSTS]),
        ):
            pytest.fail("owned twice")
        with owning(tmp_path, [Stream.LIKES]):
            holder.kill()
            holder.wait()
        with owning(tmp_path, [Stream.POSTS]):
            pass


def test_a_writer_that_starts_during_is_owned_retries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owning(tmp_path, [Stream.POSTS]):
        pass
    with lock_path(tmp_path, Stream.POSTS).open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda _seconds: fcntl.flock(asking, fcntl.LOCK_UN))
        with owning(tmp_path, [Stream.POSTS]):
            assert is_owned(tmp_path, Stream.POSTS)
    assert not is_owned(tmp_path, Stream.POSTS)


def test_is_owned_takes_no_exclusive_lock_and_creates_nothing(tmp_path: Path) -> None:
    assert not is_owned(tmp_path, Stream.POSTS)
    assert list(tmp_path.iterdir()) == []
    with owning(tmp_path, [Stream.POSTS]):
        pass
    with lock_path(tmp_path, Stream.POSTS).open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_owned(tmp_path, Stream.POSTS)


def test_a_writer_creates_the_root(tmp_path: Path) -> None:
    with owning(tmp_path / "new" / "archive", [Stream.POSTS]):
        assert is_owned(tmp_path / "new" / "archive", Stream.POSTS)


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BrokenInvariant, match="ARCHIVE_ROOT"), owning(tmp_path / "file", [Stream.POSTS]):
        pytest.fail("owned")


def test_an_id_is_created_once(tmp_path: Path) -> None:
    made = archive_id(tmp_path, None)
    assert archive_id(tmp_path, None) == made
    assert archive_id(tmp_path, made) == made


def test_a_writer_that_dies_while_it_creates_the_id_leaves_none(tmp_path: Path) -> None:
    def die(point: CrashPoint) -> None:
        raise RuntimeError(point)

    with armed(die), pytest.raises(RuntimeError, match=r"recover\.id_staged"):
        archive_id(tmp_path, None)
    assert sweep_checkpoints(tmp_path, Stream) == 1
    made = archive_id(tmp_path, None)
    assert made
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / ".state/id"]


def test_an_unmounted_volume_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenInvariant, match="mount the right volume at ARCHIVE_ROOT"):
        archive_id(tmp_path, "0123456789abcdef")
    assert list(tmp_path.iterdir()) == [], "nothing was begun there"


def test_a_redis_of_another_archive_is_refused(tmp_path: Path) -> None:
    archive_id(tmp_path, None)
    with pytest.raises(BrokenInvariant, match="point ARCHIVE_ROOT or REDIS_URL at the other one"):
        archive_id(tmp_path, "0123456789abcdef")
