"""The writer as a process between a real Redis and the files."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import duckdb
import pytest

from services.archive.schema import Codec, Compression
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.data_writer.tests.faults import FAULTS
from services.data_writer.tests.feeding import FIRST_US, push, traffic, wait_for_parts
from services.shared.event import Stream
from testing.events import HostView, Traffic
from testing.harness.fixtures import missing
from testing.harness.truth import stream_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

    Pipelines = Callable[..., Pipeline]


def test_redis_read(writer: Pipeline) -> None:
    events = traffic(5000)
    push(writer, events)
    writer.write_once()
    assert writer.waiting() == 0
    verdict = audit(writer.root, events)
    assert verdict.passed, str(verdict)


def test_parquet_write(writer: Pipeline) -> None:
    events = traffic(3000)
    push(writer, events)
    writer.write_once()
    parts = list(writer.root.glob("raw/likes/year=*/month=*/day=*/hour=*/*.parquet"))
    assert parts
    rows = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [[str(part) for part in parts]]).fetchone()
    assert rows == (sum(stream == "likes" for stream, _ in events),)
    footer = duckdb.execute("SELECT key, value FROM parquet_kv_metadata(?)", [str(parts[0])]).fetchall()
    pairs = {bytes(key).decode(): bytes(value).decode() for key, value in footer}
    assert pairs["archive.stream"] == "likes"
    assert pairs["archive.epoch"] == "1"
    assert pairs["archive.chunk_id"] in parts[0].name
    staged = [path for path in (writer.root / ".state/staging").rglob("*") if path.is_file()]
    assert staged == []


def test_redis_delete(writer: Pipeline, tmp_path: Path) -> None:
    """No event leaves the list before the last directory is synced: strace shows the order of the calls."""
    strace = shutil.which("strace")
    if strace is None:
        missing("strace is not installed (apt-get install strace); it shows the order of the system calls")
    push(writer, [("likes", frame) for stream, frame in traffic(2000) if stream == "likes"])
    trace = tmp_path / "trace"
    writer.write_once()
    push(
        writer,
        [("likes", frame) for stream, frame in traffic(2000, first_us=FIRST_US + 10**9) if stream == "likes"],
    )
    settings = {**os.environ, **writer.writer.settings, "WRITER_PORT": "0"}
    words = [
        strace,
        "-f",
        "-y",
        "-s",
        "64",
        "-e",
        "trace=fsync,rename,renameat,renameat2,sendto",
        "-o",
        str(trace),
    ]
    python = [str(writer.tree / ".venv/bin/python"), "-m", "services.data_writer.main", "--once"]
    done = subprocess.run([*words, *python], cwd=writer.tree, env=settings, capture_output=True, check=False)
    if b"ptrace" in done.stderr and done.returncode:
        pytest.skip("this machine forbids tracing")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    acks = [at for at, line in enumerate(lines) if "LTRIM" in line and "claim:likes" in line]
    renames = [
        at for at, line in enumerate(lines) if "rename" in line and ".parquet" in line and "likes" in line
    ]
    synced = [
        at
        for at, line in enumerate(lines)
        if "fsync" in line and "/likes/year=" in line and ".tmp" not in line
    ]
    files = [
        at
        for at, line in enumerate(lines)
        if "fsync" in line and ".tmp>" in line and ".state/staging" in line
    ]
    assert all((acks, renames, synced, files))
    assert files[0] < renames[0] < synced[0] <= max(synced) < acks[0]


@pytest.mark.parametrize("kept", ["commit fails", "killed before the ack"])
def test_redis_delete_keeps_what_is_not_durable(writer: Pipeline, kept: str) -> None:
    events = traffic(2000)
    push(writer, events)
    if kept == "commit fails":
        (writer.root / ".state/staging").parent.mkdir(parents=True)
        (writer.root / ".state/staging").write_text("a file in place of the staging folder")
        writer.writer.start()
        wait_for(lambda: writer.writer.logged("retry"), 30, "a failed commit")
        assert writer.waiting() >= 2000
        writer.writer.kill()
        (writer.root / ".state/staging").unlink()
    else:
        writer.writer.start()
        wait_for(lambda: list(writer.root.glob("raw/*/year=*/**/*.parquet")), 30, "the first part")
        writer.writer.kill()
    writer.write_once()
    verdict = audit(writer.root, events)
    assert verdict.passed, str(verdict)


def test_compression(tmp_path: Path) -> None:
    """Every codec over all streams; README quotes the table."""
    events = traffic(200_000)
    lists: dict[str, list[bytes]] = defaultdict(list)
    for stream, frame in events:
        lists[stream].append(frame)
    raw = sum(len(frame) for _, frame in events)
    encoded = {stream: encode(Stream(stream), frames) for stream, frames in lists.items()}
    saved: dict[Codec, float] = {}
    print(f"\n{'codec':<8}{'bytes/event':>12}{'saved':>8}{'rows/s':>10}")
    for codec in Codec:
        root = tmp_path / codec
        root.mkdir()
        level = {Codec.ZSTD: 3, Codec.GZIP: 6}.get(codec)
        began = time.perf_counter()
        size = sum(
            commit(root, one, ChunkOrigin(), Compression(codec, level)).bytes for one in encoded.values()
        )
        seconds = time.perf_counter() - began
        saved[codec] = 1 - size / raw
        print(f"{codec:<8}{size / len(events):>12.1f}{saved[codec]:>8.2%}{len(events) / seconds:>10.0f}")
        verdict = audit(root, events[:0])
        assert sum(one.archive for one in verdict.streams.values()) == len(events)
    assert saved[Codec.ZSTD] >= 0.80
    assert saved[Codec.NONE] < saved[Codec.LZ4] < saved[Codec.ZSTD]


@pytest.mark.parametrize("codec", ["snappy", "gzip", "lz4", "none"])
def test_compression_by_setting(writer: Pipeline, codec: str) -> None:
    events = traffic(1000)
    push(writer, events)
    writer.writer.settings["WRITER_COMPRESSION"] = codec
    writer.write_once()
    found = duckdb.execute(
        "SELECT DISTINCT compression FROM parquet_metadata(?)", [f"{writer.root}/raw/likes/**/*.parquet"]
    ).fetchall()
    names = {"none": "UNCOMPRESSED", "lz4": "LZ4_RAW"}
    assert found == [(names.get(codec, codec.upper()),)]
    assert audit(writer.root, events).passed


def test_batch_processing(writer: Pipeline) -> None:
    """The events of 300 s at 500/s are committed in less than 30 s, five times."""
    interval = 150_000
    writer.write_once()
    for batch in range(5):
        events = traffic(interval, first_us=FIRST_US + batch * 300_000_000)
        push(writer, events)
        began = time.monotonic()
        writer.write_once()
        assert time.monotonic() - began < 30
        assert writer.waiting() == 0
    rows = duckdb.execute(
        "SELECT sum(num_rows) FROM parquet_file_metadata(?)", [f"{writer.root}/raw/[!g]*/year=*/**/*.parquet"]
    ).fetchone()
    assert rows == (5 * interval,)


@pytest.mark.parametrize("fault", FAULTS)
def test_error_handling(writer: Pipeline, fault: Callable[[Pipeline], None]) -> None:
    fault(writer)


def test_restart(writer: Pipeline) -> None:
    """The writer is killed several times, with alternating chunk sizes, and commits every event once."""
    events = traffic(60_000)
    push(writer, events)
    writer.writer.settings["WRITER_CHUNK"] = "1000"
    for kill in range(6):
        writer.writer.settings["WRITER_CHUNK"] = "1000" if kill % 2 else "700"
        parts = len(list(writer.root.glob("raw/*/year=*/**/*.parquet")))
        writer.writer.start()
        wait_for_parts(writer, parts + 1)
        writer.writer.kill()
    assert writer.waiting() > 0, "every kill was during the work"
    writer.write_once()
    assert writer.writer.logged("claim.recovered")
    verdict = audit(writer.root, events)
    assert verdict.passed, str(verdict)


BORDERS = {
    "hour": 1_790_000_000_000_000 // 3_600_000_000 * 3_600_000_000,
    "day": 1_790_000_000_000_000 // 86_400_000_000 * 86_400_000_000,
    "year": 1_798_761_600_000_000,
}


def test_partitioning(writer: Pipeline) -> None:
    """The first and last microsecond of an hour, a day and a year, in another local time zone."""
    frame = traffic(1, first_us=FIRST_US)
    times = [border + off for border in BORDERS.values() for off in (-1, 0)]
    events = []
    for number, time_us in enumerate(times):
        event = Traffic(number, FIRST_US, 1.0, 1).frame_at(0, HostView(), time_us)
        events.append((stream_of(event), event))
    assert frame
    push(writer, events)
    writer.writer.settings["TZ"] = "Asia/Tokyo"
    writer.write_once()
    assert audit(writer.root, events).passed
    for part in writer.root.glob("raw/*/year=*/**/*.parquet"):
        if part.parts[-6] == "gaps":
            continue
        hive = dict(piece.split("=") for piece in part.parts[-5:-1])
        rows = duckdb.execute(
            "SELECT DISTINCT time_us FROM read_parquet(?, hive_partitioning = false)", [str(part)]
        )
        for (time_us,) in rows.fetchall():
            utc = time.gmtime(time_us // 1_000_000)
            assert (hive["year"], hive["month"], hive["day"], hive["hour"]) == (
                f"{utc.tm_year:04}", f"{utc.tm_mon:02}", f"{utc.tm_mday:02}", f"{utc.tm_hour:02}",
            )  # fmt: skip


def test_once_and_dry_run(writer: Pipeline) -> None:
    events = traffic(2000)
    push(writer, events)
    writer.writer.start("--dry-run")
    assert writer.writer.wait(60) == 0
    assert writer.waiting() == 2000, "a dry run changes nothing"
    assert not writer.root.exists()
    assert "likes" in writer.writer.log.read_text()
    writer.write_once()
    assert writer.waiting() == 0
