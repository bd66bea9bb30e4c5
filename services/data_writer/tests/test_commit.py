"""A commit is durable and repeatable, and acks lose and double nothing, whatever fails or is killed."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import pytest
import redis
from prometheus_client import CollectorRegistry

from services.archive import parquet
from services.archive.parquet import read_footer
from services.archive.paths import staging_root
from services.archive.schema import SCHEMA_VERSION
from services.buffer.claims import Claim, Claims
from services.buffer.keys import buffer_key, claim_key
from services.data_writer import commit as commit_module
from services.data_writer.commit import (
    CHUNKS_PER_ACK,
    ChunkOrigin,
    ClaimCommitter,
    commit,
    remove_stale_parts,
    sweep,
)
from services.data_writer.encoding.encode import encode
from services.data_writer.health import WriterHealth
from services.data_writer.ledger import Ledger
from services.data_writer.metrics import WriterMetrics
from services.data_writer.settings import WriterSettings
from services.data_writer.tests.feeding import push, traffic
from services.data_writer.tests.test_encode import HOUR_US, NOON_US, like
from services.shared.crash_points import CrashPoint
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from testing.proof.audit import audit

if TYPE_CHECKING:
    from contextlib import _GeneratorContextManager

    from services.buffer.claims import ClaimReader
    from testing.harness.pipeline import Pipeline
    from testing.harness.redis import RedisServer

EVENTS = [like(), like(NOON_US + HOUR_US), b"?"]
ORIGIN = ChunkOrigin(
    writer_version="1.2.3", epoch="e", host="h", first_cursor='{"time_us":1}', last_cursor='{"time_us":2}'
)

CHUNK = 100
LIKES = [(stream, frame) for stream, frame in traffic(1500) if stream == "likes"]


def parts(root: Path) -> list[Path]:
    return sorted(root.glob("**/*.parquet"))


def staged(root: Path) -> list[Path]:
    return [path for path in root.glob(".state/staging/**/*") if path.is_file()]


def test_a_chunk_is_made_durable(tmp_path: Path) -> None:
    committed = commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN)
    assert sorted(committed.paths) == parts(tmp_path)
    assert (committed.rows, committed.rejected) == (2, 1)
    assert committed.bytes == sum(path.stat().st_size for path in committed.paths)
    assert staged(tmp_path) == []
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT count(*) FROM read_parquet(?)", [f"{tmp_path}/raw/likes/**/*.parquet"]
        )
        assert found.fetchone() == (2,)


def test_the_footer_names_the_chunk_and_its_origin(tmp_path: Path) -> None:
    encoded = encode(Stream.LIKES, EVENTS)
    committed = commit(tmp_path, encoded, ORIGIN)
    footers = [read_footer(path) for path in committed.paths]
    for footer in footers:
        assert footer["archive.schema_version"] == str(SCHEMA_VERSION)
        assert footer["archive.chunk_id"] == encoded.chunk.id
        assert footer["archive.source_stream"] == "likes"
        assert (footer["archive.writer_version"], footer["archive.epoch"]) == ("1.2.3", "e")
        assert (footer["archive.host"], footer["archive.rows"]) == ("h", "1")
        assert footer["archive.first_cursor"] == '{"time_us":1}'
        assert footer["archive.last_cursor"] == '{"time_us":2}'
    assert [footer["archive.stream"] for footer in footers] == ["likes", "likes", "rejects"]
    assert [footer["archive.part"] for footer in footers] == ["1/3", "2/3", "3/3"]


def test_committing_again_changes_nothing(tmp_path: Path) -> None:
    first = commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN)
    before = {path: path.read_bytes() for path in parts(tmp_path)}
    assert commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN) == first
    assert {path: path.read_bytes() for path in parts(tmp_path)} == before


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_after_a_kill_between_renames_the_next_commit_completes_the_chunk(
    renames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """A BaseException, so that the code under test cannot catch it, as it cannot catch a kill."""

    done: list[Path] = []

    def replace(self: Path, target: Path) -> None:
        if len(done) == renames:
            raise Killed
        done.append(target)
        os.replace(self, target)  # noqa: PTH105 - this function replaces Path.replace

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        # A kill runs no finally: staged files stay.
        patched.setattr(commit_module, "_remove", lambda _: None)
        with pytest.raises(Killed):
            commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN)
    assert parts(tmp_path) == sorted(done)
    assert len(staged(tmp_path)) == 3 - renames
    assert sweep(tmp_path, [Stream.LIKES]) == 3 - renames
    committed = commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN)
    assert sorted(committed.paths) == parts(tmp_path)
    assert staged(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("step", ["write", "fsync", "replace", "mkdir"])
def test_a_failing_disk_is_transient_and_leaves_nothing_staged(
    code: int, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        if step == "write":
            patched.setattr(commit_module, "write_table", fails)
        elif step == "fsync":
            patched.setattr(os, "fsync", fails)
        else:
            patched.setattr(Path, step, fails)
        with pytest.raises(Transient, match=str(tmp_path)) as raised:
            commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN)
    assert isinstance(raised.value.__cause__, OSError)
    assert staged(tmp_path) == []
    assert parts(tmp_path) == []
    assert len(commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN).paths) == 3


def test_a_disk_that_fills_while_parquet_is_written_is_transient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file
            self.room = 2000

        def write(self, block: bytes) -> int:
            self.room -= len(block)
            if self.room < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return int(self.file.write(block))

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def flush(self) -> None:
            self.file.flush()

    monkeypatch.setattr(Path, "open", lambda self, mode: Full(real(self, mode)))
    with pytest.raises(Transient, match="No space left"):
        commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN)
    assert staged(tmp_path) == []


def test_a_missing_root_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(Transient):
        commit(tmp_path / "unmounted", encode(Stream.LIKES, EVENTS), ORIGIN)
    assert not (tmp_path / "unmounted").exists()


def test_a_part_that_does_not_read_back_is_a_broken_invariant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_module, "write_table", lambda file, *_: file.write(b"PAR1 is not enough"))
    with pytest.raises(BrokenInvariant, match="does not read back"):
        commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN)
    assert (parts(tmp_path), staged(tmp_path)) == ([], [])


def test_every_commit_syncs_all_directories_up_to_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(tmp_path, encode(Stream.LIKES, EVENTS[:1]), ORIGIN)
    synced: list[Path] = []
    monkeypatch.setattr(commit_module, "sync_directory", synced.append)
    (path,) = commit(tmp_path, encode(Stream.LIKES, EVENTS[:1]), ORIGIN).paths
    expected = [parent for parent in path.parents if parent.is_relative_to(tmp_path)]
    assert synced == expected
    assert synced[-1] == tmp_path


def test_files_are_synced_before_renames_and_directories_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def noted(name: str, real: Any) -> Any:
        def step(*arguments: Any, **named: Any) -> Any:
            steps.append(name)
            return real(*arguments, **named)

        return step

    monkeypatch.setattr(commit_module, "write_table", noted("write", parquet.write_table))
    monkeypatch.setattr(commit_module, "check_file", noted("check", parquet.check_file))
    monkeypatch.setattr(commit_module, "sync_directory", noted("sync directory", lambda _: None))
    monkeypatch.setattr(os, "fsync", noted("sync", os.fsync))
    monkeypatch.setattr(Path, "replace", noted("rename", Path.replace))
    commit(tmp_path, encode(Stream.LIKES, EVENTS[:2]), ORIGIN)
    assert steps[:8] == ["write", "sync", "check", "write", "sync", "check", "rename", "rename"]
    assert set(steps[8:]) == {"sync directory"}


def test_a_sweep_leaves_the_staged_files_of_other_owners(tmp_path: Path) -> None:
    for stream in (Stream.LIKES, Stream.POSTS):
        staging_root(tmp_path, stream).mkdir(parents=True)
        (staging_root(tmp_path, stream) / "rejects-0-x.tmp").touch()
    assert sweep(tmp_path, [Stream.LIKES, Stream.REJECTS]) == 1
    assert [path.parent.name for path in staged(tmp_path)] == ["posts"]


def test_stale_parts_are_those_of_the_same_chunk_that_were_not_written_now(tmp_path: Path) -> None:
    earlier = commit(tmp_path, encode(Stream.LIKES, EVENTS), ORIGIN)
    other = commit(tmp_path, encode(Stream.LIKES, EVENTS[:1]), ORIGIN)
    own, *stale = earlier.paths
    chunk = encode(Stream.LIKES, EVENTS).chunk
    streams = [Stream.LIKES, Stream.REJECTS]
    assert remove_stale_parts(tmp_path, streams, chunk.id, earlier.paths) == ()
    assert remove_stale_parts(tmp_path, streams, chunk.id, [own]) == tuple(sorted(stale))
    assert parts(tmp_path) == sorted([own, *other.paths])


def killed(running: Pipeline, point: CrashPoint, nth: int) -> int:
    """Kill the writer while it commits a claim of likes; return how many events are left in the claim."""
    push(running, LIKES)
    key = claim_key(Stream.LIKES, CHUNK)
    with running.tools() as tools:
        tools.rename(buffer_key(Stream.LIKES), key)
        running.writer.starter = ("testing.proof.chaos.armed", point, str(nth))
        running.writer.start("--once")
        assert running.writer.wait(60) == -signal.SIGKILL
        running.writer.starter = ()
        return int(tools.llen(key))


@pytest.mark.parametrize(
    ("point", "nth", "acked"),
    [
        (CrashPoint.CLAIM_READ, 3, 0),
        (CrashPoint.COMMIT_AFTER_RENAME, 2, 0),
        (CrashPoint.COMMIT_DURABLE, 3, 0),
        (CrashPoint.ACK_BEFORE_TRIM, 1, 0),
        (CrashPoint.ACK_AFTER_TRIM, 1, CHUNKS_PER_ACK),
        (CrashPoint.COMMIT_DURABLE, CHUNKS_PER_ACK + 2, CHUNKS_PER_ACK),
    ],
)
def test_a_kill_between_the_first_chunk_and_the_ack_loses_and_doubles_nothing(
    writer: Pipeline, point: CrashPoint, nth: int, acked: int
) -> None:
    assert killed(writer, point, nth) == len(LIKES) - acked * CHUNK
    writer.write_once()
    assert audit(writer.root, LIKES).passed


def test_stale_parts_are_removed_for_every_chunk_of_an_ack(writer: Pipeline) -> None:
    """As if an earlier version had put the events in another hour."""
    killed(writer, CrashPoint.ACK_BEFORE_TRIM, 1)
    found = sorted((writer.root / "raw" / "likes").rglob("*.parquet"))
    assert len(found) == CHUNKS_PER_ACK
    for part in found:
        elsewhere = part.parent.parent / "hour=23"
        elsewhere.mkdir(exist_ok=True)
        part.rename(elsewhere / part.name)
    writer.write_once()
    assert not any(
        part.parent.name == "hour=23" for part in (writer.root / "raw" / "likes").rglob("*.parquet")
    )
    assert audit(writer.root, LIKES).passed


def test_a_claim_of_which_only_the_first_chunk_was_acked_is_completed(writer: Pipeline) -> None:
    """As a writer that acks every chunk would leave it."""
    assert killed(writer, CrashPoint.ACK_BEFORE_TRIM, 1) == len(LIKES)
    with writer.tools() as tools:
        tools.ltrim(claim_key(Stream.LIKES, CHUNK), CHUNK, -1)
    writer.write_once()
    assert audit(writer.root, LIKES).passed


def test_a_stop_while_the_first_chunk_is_read_is_not_mistaken_for_an_empty_claim(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    stopping = Stopping()

    class Stopped(Claims):
        def read(self, claim: Claim, chunks: int) -> _GeneratorContextManager[ClaimReader]:
            stopping.set()
            return super().read(claim, chunks)

    claims, claim = Stopped(redis_server.url("writer"), stopping), Claim(Stream.LIKES, CHUNK)
    settings, registry = WriterSettings(archive_root=tmp_path), CollectorRegistry()
    metrics = WriterMetrics(registry, settings.streams)
    ledger = Ledger(tmp_path, settings.streams, stopping)
    ledger.open(1)
    claims.open()
    with redis.Redis.from_url(redis_server.url("tools")) as tools:
        tools.rpush(claim.key, *(frame for _, frame in LIKES))
        committer = ClaimCommitter(settings, claims, ledger, metrics, WriterHealth(), stopping)
        assert not committer.commit_claim(claim, claims.position(), "", attempted=False)
        claims.close()
        assert tools.llen(claim.key) == len(LIKES) - CHUNK
    assert audit(tmp_path, LIKES[:CHUNK]).passed
