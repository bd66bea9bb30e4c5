"""A running pipeline on disks that are full, fail or become read-only: nothing is lost, and it continues."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from testing.harness.disks import FailingDisk, NoDiskError, SmallDisk, read_only
from testing.harness.fixtures import missing
from testing.harness.host import Host
from testing.harness.waiting import wait_for
from testing.proof.power.strace import NoTracerError, find_tracer, injecting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testing.harness.daemons import Daemon
    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]

EVENTS = 6_000
SECONDS = 90.0
SMALL = {"WRITER_INTERVAL": "0.5", "WRITER_MAX_AGE": "0.5", "WRITER_CHUNK": "200"}


def test_no_room_for_another_file_or_folder_in_the_archive(pipeline: Pipelines) -> None:
    """Every hour needs folders, so that the dataset has no room, not only staging."""
    running = _made(pipeline, rate="0.1")
    room = 90
    with _small(running.root, 64, room) as disk:
        running.start()
        wait_for(lambda: _retries(running.writer, ".state/staging/"), SECONDS, "staging that is full")
        while not _retries(running.writer, "/hour="):
            seen = len(running.writer.logged("retry"))
            room += 1
            disk.resize(64, room)
            wait_for(lambda: len(running.writer.logged("retry")) > seen, SECONDS, "a retry")  # noqa: B023
        assert running.writer.health()[0] == 503
        assert running.waiting() > 0
        assert running.staged() == []
        disk.resize(64)
        running.assert_complete(EVENTS, SECONDS)


def test_no_room_in_the_append_only_file(pipeline: Pipelines) -> None:
    """Redis exits instead of acknowledging a write that it cannot complete."""
    running = _made(pipeline, rate="1500")
    data = running.folder / "redis" / "data"
    with _small(data, 1) as disk:
        running.start()
        server = running.redis.process
        assert server is not None
        wait_for(lambda: server.poll() is not None, SECONDS, "the end of a Redis whose disk is full")
        assert "AOF write error" in (running.folder / "redis" / "redis.log").read_text()
        assert shutil.disk_usage(data).free < 64 << 10
        wait_for(lambda: running.writer.logged("retry"), SECONDS, "a writer without Redis")
        disk.resize(64)
        running.redis.start()
        running.assert_complete(EVENTS, SECONDS)


def test_an_archive_that_becomes_read_only_and_writable_again(pipeline: Pipelines) -> None:
    running = _made(pipeline, rate="1500")
    running.start()
    wait_for(lambda: running.writer.logged("commit.done"), SECONDS, "a first commit")
    parts = _parts(running)
    try:
        with read_only(running.root):
            wait_for(lambda: _retries(running.writer, "Read-only file system"), SECONDS, "a refused write")
            assert running.writer.health()[0] == 503
            held = running.waiting()
            assert held > 0
    except NoDiskError as error:
        missing(str(error))
    wait_for(lambda: _parts(running) > parts, SECONDS, "new parts")
    running.assert_complete(EVENTS, SECONDS)


def test_a_failing_archive_disk(pipeline: Pipelines, tmp_path: Path) -> None:
    """A real ext4 on a device that fails to write: EIO at the sync, then read-only, then the repair."""
    running = _made(pipeline, rate="1500")
    try:
        disk = FailingDisk(running.root, tmp_path / "device", 1)
    except NoDiskError as error:
        missing(str(error))
    try:
        running.start()
        wait_for(lambda: _retries(running.writer, "Read-only file system"), SECONDS, "a disk given up")
        assert running.waiting() > 0
        assert running.writer.stop() == 0
        disk.repair()
        running.writer.start()
        running.assert_complete(EVENTS, SECONDS)
    finally:
        running.end()
        disk.unmount()


def test_a_failing_disk_is_repaired_while_it_is_mounted_elsewhere(tmp_path: Path) -> None:
    """A container that is being created holds every mount for a while."""
    archive = tmp_path / "archive"
    try:
        disk = FailingDisk(archive, tmp_path / "device", 1)
    except NoDiskError as error:
        missing(str(error))
    holder = subprocess.Popen(["unshare", "-m", "sh", "-c", "echo in; exec sleep 60"], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"in\n"
        kept = archive / "kept"
        kept.write_bytes(b"kept")
        _sync(kept)
        with pytest.raises(OSError, match=r"Input/output error|Read-only file system"):
            _grow(archive / "more", FailingDisk.CAPACITY_MB)
        disk.repair()
        assert kept.read_bytes() == b"kept"
        _grow(archive / "more", 1)
    finally:
        holder.kill()
        holder.communicate()
        disk.unmount()


@pytest.mark.parametrize("call", ["fsync", "rename", "unlink"])
def test_a_writer_whose_calls_fail_for_a_while(pipeline: Pipelines, call: str) -> None:
    """EIO five times in a row while it works."""
    running = _made(pipeline, rate="1500")
    try:
        tracer = find_tracer()
    except NoTracerError as error:
        missing(str(error))
    running.writer.under = injecting(tracer, running.folder / "trace", call, "error=EIO:when=30..34")
    running.start()
    wait_for(lambda: _retries(running.writer, "Input/output error"), SECONDS, "a call that fails")
    running.assert_complete(EVENTS, SECONDS)


def test_a_redis_whose_sync_fails_once(pipeline: Pipelines) -> None:
    """The kernel may have dropped unwritten data: Redis exits and reads its file again."""
    running = _made(pipeline, rate="1500")
    try:
        tracer = find_tracer()
    except NoTracerError as error:
        missing(str(error))
    running.redis.under = injecting(tracer, running.folder / "trace", "fdatasync", "error=EIO:when=40")
    running.start()
    server = running.redis.process
    assert server is not None
    wait_for(lambda: server.poll() is not None, SECONDS, "the end of a Redis that could not sync")
    assert "Input/output error" in (running.folder / "redis" / "redis.log").read_text()
    running.redis.under = ()
    running.redis.start()
    running.assert_complete(EVENTS, SECONDS)


def _made(pipeline: Pipelines, rate: str) -> Pipeline:
    host = Host({"rate": rate, "events": str(EVENTS), "kind": "v2"})
    if float(rate) < 1:
        host.options["backlog"] = str(EVENTS / float(rate) + 1)
    return pipeline(host, ingest={"INGEST_PUSH_EVENTS": "250"}, write=SMALL)


def _grow(file: Path, megabytes: int) -> None:
    for _ in range(megabytes):
        with file.open("ab") as growing:
            growing.write(os.urandom(1 << 20))
        _sync(file)


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


@contextlib.contextmanager
def _small(folder: Path, megabytes: int, inodes: int = 0) -> Iterator[SmallDisk]:
    try:
        disk = SmallDisk(folder, megabytes, inodes)
    except NoDiskError as error:
        missing(str(error))
    try:
        yield disk
    finally:
        # Unmounted even with open files.
        disk.unmount()


def _retries(daemon: Daemon, why: str) -> list[str]:
    return [line["error"] for line in daemon.logged("retry") if why in line["error"]]


def _parts(running: Pipeline) -> int:
    return len(list(running.root.glob("raw/*/year=*/**/*.parquet")))
