"""The writer as its users run it: a real process between a real Redis and the files."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import duckdb
import pytest

from services.data_writer.commit import Origin, commit
from services.data_writer.encode import encode
from services.data_writer.part_file import Codec, Compression
from services.shared.buffer.keys import buffer_key, claim_key
from services.shared.event import Stream
from testing.audit import audit
from testing.events import HostView, Traffic
from testing.fixtures import missing
from testing.host import Host
from testing.pipeline import Pipeline
from testing.truth import stream_of, truth_of
from testing.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Pipelines = Callable[..., Pipeline]

FIRST_US = 1_790_000_000_000_000


def traffic(events: int, *, first_us: int = FIRST_US, rate: float = 500.0) -> list[tuple[str, bytes]]:
    """Return believable events with their streams."""
    frames = Traffic(11, first_us, rate, events).truth(HostView())
    return [(stream_of(frame), frame) for frame in frames]


def push(running: Pipeline, events: Iterable[tuple[str, bytes]]) -> None:
    """Fill the buffers as an ingester does, without one."""
    lists: dict[str, list[bytes]] = defaultdict(list)
    for stream, frame in events:
        lists[stream].append(frame)
    with running.tools() as tools:
        for stream, frames in lists.items():
            for at in range(0, len(frames), 2000):
                tools.rpush(buffer_key(Stream(stream)), *frames[at : at + 2000])


def wait_for_parts(running: Pipeline, count: int) -> None:
    """Wait until the archive has so many parts."""
    wait_for(lambda: len(list(running.root.glob("*/year=*/**/*.parquet"))) >= count, 60, f"{count} parts")


@pytest.fixture
def writer(pipeline: Pipelines) -> Iterator[Pipeline]:
    """Give a Redis and a writer's settings; no ingester, no host."""
    running = pipeline(birth_us=FIRST_US, write={"WRITER_INTERVAL": "1"})
    running.redis.start()
    running.configure()
    yield running
    running.end()


def test_redis_read(writer: Pipeline) -> None:
    events = traffic(5000)
    push(writer, events)
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    assert writer.waiting() == 0
    verdict = audit(writer.root, events)
    assert verdict.passed, str(verdict)


def test_parquet_write(writer: Pipeline) -> None:
    events = traffic(3000)
    push(writer, events)
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    parts = list(writer.root.glob("likes/year=*/month=*/day=*/hour=*/*.parquet"))
    assert parts
    rows = duckdb.execute("SELECT count(*) FROM read_parquet(?)", [[str(part) for part in parts]]).fetchone()
    assert rows == (sum(stream == "likes" for stream, _ in events),)
    footer = duckdb.execute("SELECT key, value FROM parquet_kv_metadata(?)", [str(parts[0])]).fetchall()
    told = {bytes(key).decode(): bytes(value).decode() for key, value in footer}
    assert told["archive.stream"] == "likes"
    assert told["archive.epoch"] == "1"
    assert told["archive.chunk_id"] in parts[0].name
    staged = [path for path in (writer.root / ".staging").rglob("*") if path.is_file()]
    assert staged == []


def test_redis_delete(writer: Pipeline, tmp_path: Path) -> None:
    """Nothing leaves the list before the last directory is synced: the system calls show the order."""
    strace = shutil.which("strace")
    if strace is None:
        missing("strace is not installed (apt-get install strace); it shows the order of the system calls")
    push(writer, [("likes", frame) for stream, frame in traffic(2000) if stream == "likes"])
    trace = tmp_path / "trace"
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0, "the birth, so that the traced run only writes"
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
        at for at, line in enumerate(lines) if "fsync" in line and ".tmp>" in line and ".staging" in line
    ]
    assert all((acks, renames, synced, files))
    assert files[0] < renames[0] < synced[0] <= max(synced) < acks[0]


@pytest.mark.parametrize("kept", ["commit fails", "killed before the ack"])
def test_redis_delete_keeps_what_is_not_durable(writer: Pipeline, kept: str) -> None:
    events = traffic(2000)
    push(writer, events)
    if kept == "commit fails":
        (writer.root / ".staging").parent.mkdir(parents=True)
        (writer.root / ".staging").write_text("in the way of the staging folder")
        writer.writer.start()
        wait_for(lambda: writer.writer.logged("retry"), 30, "a failed commit")
        assert writer.waiting() >= 2000
        writer.writer.kill()
        (writer.root / ".staging").unlink()
    else:
        writer.writer.start()
        wait_for(lambda: list(writer.root.glob("*/year=*/**/*.parquet")), 30, "the first part")
        writer.writer.kill()
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    verdict = audit(writer.root, events)
    assert verdict.passed, str(verdict)


def test_compression(tmp_path: Path) -> None:
    """Every codec, over all streams of one batch; the table is what README quotes."""
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
        size = sum(commit(root, one, Origin(), Compression(codec, level)).bytes for one in encoded.values())
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
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    found = duckdb.execute(
        "SELECT DISTINCT compression FROM parquet_metadata(?)", [f"{writer.root}/likes/**/*.parquet"]
    ).fetchall()
    names = {"none": "UNCOMPRESSED", "lz4": "LZ4_RAW"}
    assert found == [(names.get(codec, codec.upper()),)]
    assert audit(writer.root, events).passed


def test_batch_processing(writer: Pipeline) -> None:
    """All streams' events of one interval of 300 s at 500/s: under 30 s for each of five."""
    interval = 150_000
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    for batch in range(5):
        events = traffic(interval, first_us=FIRST_US + batch * 300_000_000)
        push(writer, events)
        began = time.monotonic()
        writer.writer.start("--once")
        assert writer.writer.wait(60) == 0
        assert time.monotonic() - began < 30
        assert writer.waiting() == 0
    rows = duckdb.execute(
        "SELECT sum(num_rows) FROM parquet_file_metadata(?)", [f"{writer.root}/[!g]*/year=*/**/*.parquet"]
    ).fetchone()
    assert rows == (5 * interval,)


def test_error_handling_redis_stopped(writer: Pipeline) -> None:
    events = traffic(4000)
    push(writer, events[:2000])
    writer.writer.start()
    wait_for(lambda: writer.writer.total("archive_commit_rows_total") >= 2000, 30, "the first half committed")
    writer.redis.kill()
    wait_for(lambda: writer.writer.logged("retry"), 30, "a retry")
    assert wait_for(lambda: writer.writer.health()[0] == 503 and writer.writer.health(), 30, "unhealthy")
    writer.redis.start()
    push(writer, events[2000:])
    wait_for(lambda: writer.writer.total("archive_commit_rows_total") >= 4000, 60, "the rest committed")
    writer.writer.wait_healthy()
    assert writer.writer.stop() == 0
    verdict = audit(writer.root, events)
    assert verdict.passed, str(verdict)


def test_error_handling_loading(writer: Pipeline) -> None:
    """A server that answers LOADING is waited for."""
    events = traffic(20_000)
    push(writer, events)
    with writer.tools() as tools:
        tools.bgrewriteaof()
        wait_for(lambda: not tools.info("persistence")["aof_rewrite_in_progress"], 30, "AOF rewritten")
    writer.redis.stop()
    writer.redis.settings |= {"key-load-delay": "500000", "loading-process-events-interval-bytes": "1024"}
    writer.redis.start(wait=False)
    writer.writer.start()
    wait_for(lambda: writer.writer.logged("retry"), 30, "a retry while loading")
    assert any("loading" in line["error"].lower() for line in writer.writer.logged("retry"))
    wait_for(
        lambda: writer.writer.total("archive_commit_rows_total") >= len(events), 90, "everything committed"
    )
    assert audit(writer.root, events).passed


def test_error_handling_readonly(writer: Pipeline) -> None:
    events = traffic(2000)
    push(writer, events)
    with writer.tools() as tools:
        tools.replicaof("127.0.0.1", 1)
        writer.writer.start()
        wait_for(
            lambda: any("read only replica" in line["error"] for line in writer.writer.logged("retry")),
            30,
            "READONLY met",
        )
        tools.replicaof("NO", "ONE")
    wait_for(lambda: writer.writer.total("archive_commit_rows_total") >= 2000, 60, "everything committed")
    assert audit(writer.root, events).passed


def test_error_handling_full(writer: Pipeline) -> None:
    """Redis is full: the writer can still claim and ack, and so makes the room."""
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    events = traffic(20_000)
    push(writer, events)
    with writer.tools() as tools:
        tools.config_set("maxmemory", str(int(tools.info("memory")["used_memory"]) // 2))
        with pytest.raises(Exception, match="maxmemory"):
            tools.set("one", "more")
        writer.writer.start("--once")
        assert writer.writer.wait(60) == 0
        assert writer.waiting() == 0
        tools.set("one", "more")
    assert audit(writer.root, events).passed


def test_error_handling_disk_full(writer: Pipeline) -> None:
    """A full disk: nothing is acked, nothing stays in staging, and it goes on when there is room."""
    small = writer.root
    small.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        missing(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    try:
        events = traffic(30_000)
        push(writer, events)
        writer.writer.start()
        wait_for(
            lambda: any("No space left" in line["error"] for line in writer.writer.logged("retry")),
            60,
            "a full disk",
        )
        held = writer.waiting()
        assert held > 0
        assert [path for path in (small / ".staging").rglob("*") if path.is_file()] == []
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        wait_for(
            lambda: writer.writer.total("archive_commit_rows_total") >= len(events), 90, "the rest committed"
        )
        assert writer.writer.stop() == 0
        verdict = audit(small, events)
        assert verdict.passed, str(verdict)
    finally:
        writer.writer.kill()
        subprocess.run(["umount", str(small)], check=True)


def test_restart(writer: Pipeline) -> None:
    """Killed again and again while it works, also with another chunk size: every event once."""
    events = traffic(60_000)
    push(writer, events)
    writer.writer.settings["WRITER_CHUNK"] = "1000"
    for kill in range(6):
        writer.writer.settings["WRITER_CHUNK"] = "1000" if kill % 2 else "700"
        parts = len(list(writer.root.glob("*/year=*/**/*.parquet")))
        writer.writer.start()
        wait_for_parts(writer, parts + 1)
        writer.writer.kill()
    assert writer.waiting() > 0, "the kills came while it worked"
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    assert writer.writer.logged("claim.recovered")
    verdict = audit(writer.root, events)
    assert verdict.passed, str(verdict)


BORDERS = {
    "hour": 1_790_000_000_000_000 // 3_600_000_000 * 3_600_000_000,
    "day": 1_790_000_000_000_000 // 86_400_000_000 * 86_400_000_000,
    "year": 1_798_761_600_000_000,
}


def test_partitioning(writer: Pipeline) -> None:
    """First and last microsecond of an hour, a day and a year, where the local time is another."""
    frame = traffic(1, first_us=FIRST_US)
    times = [border + off for border in BORDERS.values() for off in (-1, 0)]
    events = []
    for number, time_us in enumerate(times):
        event = Traffic(number, FIRST_US, 1.0, 1).frame_at(0, HostView(), time_us)
        events.append((stream_of(event), event))
    assert frame
    push(writer, events)
    writer.writer.settings["TZ"] = "Asia/Tokyo"
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    assert audit(writer.root, events).passed
    for part in writer.root.glob("*/year=*/**/*.parquet"):
        if part.parts[-6] == "gaps":
            continue
        hive = dict(piece.split("=") for piece in part.parts[-5:-1])
        rows = duckdb.execute(
            "SELECT DISTINCT time_us FROM read_parquet(?, hive_partitioning = false)", [str(part)]
        )
        for (time_us,) in rows.fetchall():
            told = time.gmtime(time_us // 1_000_000)
            assert (hive["year"], hive["month"], hive["day"], hive["hour"]) == (
                f"{told.tm_year:04}", f"{told.tm_mon:02}", f"{told.tm_mday:02}", f"{told.tm_hour:02}",
            )  # fmt: skip


def test_once_and_dry_run(writer: Pipeline) -> None:
    events = traffic(2000)
    push(writer, events)
    writer.writer.start("--dry-run")
    assert writer.writer.wait(60) == 0
    assert writer.waiting() == 2000, "a dry run changes nothing"
    assert not writer.root.exists()
    assert "likes" in writer.writer.log.read_text()
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    assert writer.waiting() == 0


def test_a_second_writer_of_the_same_streams_is_refused(writer: Pipeline) -> None:
    writer.writer.start()
    writer.writer.wait_healthy()
    second = Pipeline(writer.folder / "second", [], birth_us=FIRST_US)
    second.writer.settings = dict(writer.writer.settings)
    second.writer.start()
    assert second.writer.wait(30) == 1
    (said,) = second.writer.logged("stop.broken")
    assert "another writer owns" in said["error"]
    assert "WRITER_STREAMS" in said["error"]


def test_another_archive_is_refused(writer: Pipeline) -> None:
    """The volume is not mounted: the writer must not fill the folder below."""
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    writer.writer.settings["ARCHIVE_ROOT"] = str(writer.folder / "unmounted")
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 1
    assert "mount the right volume" in writer.writer.logged("stop.broken")[-1]["error"]


def test_volume_lost_resumes_from_the_frontier(pipeline: Pipelines) -> None:
    """Redis' data is gone: the cursor comes back from the archive, and the rest from Jetstream."""
    source = Host({"rate": "1500", "events": "12000", "backlog": "2"})
    running = pipeline(source)
    running.start()
    running.wait_pushed(6000, 60)
    running.redis.kill()
    running.redis.lose_volume()
    running.redis.start()
    wait_for(lambda: source.status()["tip"] >= 12_000, 60, "the host's last event")
    wait_for(lambda: running.writer.metrics().get("archive_claim_epoch") == 2, 60, "a new epoch")
    wait_for(lambda: _held(running) >= 12_000, 90, "every event in Redis or the archive")
    running.wait_committed(60)
    assert running.ingester.stop() == 0
    assert running.writer.stop() == 0
    verdict = audit(running.root, truth_of(source))
    lost = sum(one.lost + one.altered + one.strangers for one in verdict.streams.values())
    assert lost == 0, str(verdict)


def _held(running: Pipeline) -> int:
    rows = duckdb.execute(
        "SELECT count(DISTINCT time_us) FROM read_parquet(?, union_by_name = true)",
        [[str(path) for path in running.root.glob("[!gr]*/year=*/**/*.parquet")]
         + [str(path) for path in running.root.glob("re[pc]o*/year=*/**/*.parquet")]],
    ).fetchone()  # fmt: skip
    return int(rows[0]) if rows else 0


def test_claims_of_another_chunk_size_are_cut_as_they_were(writer: Pipeline) -> None:
    events = [(stream, frame) for stream, frame in traffic(3000) if stream == "likes"]
    push(writer, events)
    with writer.tools() as tools:
        tools.rename(buffer_key(Stream.LIKES), claim_key(Stream.LIKES, 500))
    writer.writer.start("--once")
    assert writer.writer.wait(60) == 0
    counts = duckdb.execute(
        "SELECT num_rows FROM parquet_file_metadata(?)", [f"{writer.root}/likes/**/*.parquet"]
    ).fetchall()
    assert max(count for (count,) in counts) == 500
    assert audit(writer.root, events).passed
