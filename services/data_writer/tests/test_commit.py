"""Durable once, the same again, and nothing half-done left: whatever the disk does."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Self

import duckdb
import pytest

from services.archive import parquet as part_file
from services.archive.parquet import read_footer
from services.archive.paths import staging_root
from services.archive.schema import SCHEMA_VERSION
from services.data_writer import commit as commit_module
from services.data_writer.commit import ChunkOrigin, commit, remove_strangers, sweep
from services.data_writer.encoding.encode import encode
from services.data_writer.tests.test_encode import HOUR_US, NOON_US, like
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream

ELEMENTS = [like(), like(NOON_US + HOUR_US), b"?"]
ORIGIN = ChunkOrigin(
    writer_version="1.2.3", epoch="e", host="h", first_cursor='{"time_us":1}', last_cursor='{"time_us":2}'
)


def parts(root: Path) -> list[Path]:
    return sorted(root.glob("**/*.parquet"))


def staged(root: Path) -> list[Path]:
    return [path for path in root.glob(".staging/**/*") if path.is_file()]


def test_a_chunk_is_made_durable(tmp_path: Path) -> None:
    committed = commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN)
    assert sorted(committed.paths) == parts(tmp_path)
    assert (committed.rows, committed.rejected) == (2, 1)
    assert committed.bytes == sum(path.stat().st_size for path in committed.paths)
    assert staged(tmp_path) == []
    with duckdb.connect() as connection:
        found = connection.execute("SELECT count(*) FROM read_parquet(?)", [f"{tmp_path}/likes/**/*.parquet"])
        assert found.fetchone() == (2,)


def test_the_footer_tells_where_a_part_came_from(tmp_path: Path) -> None:
    encoded = encode(Stream.LIKES, ELEMENTS)
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
    first = commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN)
    before = {path: path.read_bytes() for path in parts(tmp_path)}
    assert commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN) == first
    assert {path: path.read_bytes() for path in parts(tmp_path)} == before


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_between_renames_is_mended_by_doing_it_again(
    renames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Nothing in the code under test may catch this, as nothing catches a kill."""

    done: list[Path] = []

    def replace(self: Path, target: Path) -> None:
        if len(done) == renames:
            raise Killed
        done.append(target)
        os.replace(self, target)  # noqa: PTH105 - Path.replace is what stands in for it here

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        # A kill runs no finally: what was staged stays.
        patched.setattr(commit_module, "_remove", lambda _: None)
        with pytest.raises(Killed):
            commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN)
    assert parts(tmp_path) == sorted(done)
    assert len(staged(tmp_path)) == 3 - renames
    assert sweep(tmp_path, [Stream.LIKES]) == 3 - renames
    committed = commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN)
    assert sorted(committed.paths) == parts(tmp_path)
    assert staged(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("step", ["write", "fsync", "replace", "mkdir"])
def test_a_disk_that_fails_is_transient_and_leaves_no_staging(
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
            commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN)
    assert isinstance(raised.value.__cause__, OSError)
    assert staged(tmp_path) == []
    assert parts(tmp_path) == []
    assert len(commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN).paths) == 3


def test_a_full_disk_is_met_inside_parquet_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN)
    assert staged(tmp_path) == []


def test_a_root_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(Transient):
        commit(tmp_path / "unmounted", encode(Stream.LIKES, ELEMENTS), ORIGIN)
    assert not (tmp_path / "unmounted").exists()


def test_what_does_not_read_back_is_a_broken_invariant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_module, "write_table", lambda file, *_: file.write(b"PAR1 is not enough"))
    with pytest.raises(BrokenInvariant, match="does not read back"):
        commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN)
    assert (parts(tmp_path), staged(tmp_path)) == ([], [])


def test_every_directory_up_to_the_root_is_synced_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(tmp_path, encode(Stream.LIKES, ELEMENTS[:1]), ORIGIN)
    synced: list[Path] = []
    monkeypatch.setattr(commit_module, "sync_directory", synced.append)
    (path,) = commit(tmp_path, encode(Stream.LIKES, ELEMENTS[:1]), ORIGIN).paths
    expected = [parent for parent in path.parents if parent.is_relative_to(tmp_path)]
    assert synced == expected
    assert synced[-1] == tmp_path


def test_the_steps_are_in_the_order_that_survives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def noted(name: str, real: Any) -> Any:
        def step(*arguments: Any, **named: Any) -> Any:
            steps.append(name)
            return real(*arguments, **named)

        return step

    monkeypatch.setattr(commit_module, "write_table", noted("write", part_file.write_table))
    monkeypatch.setattr(commit_module, "check_file", noted("check", part_file.check_file))
    monkeypatch.setattr(commit_module, "sync_directory", noted("sync directory", lambda _: None))
    monkeypatch.setattr(os, "fsync", noted("sync", os.fsync))
    monkeypatch.setattr(Path, "replace", noted("rename", Path.replace))
    commit(tmp_path, encode(Stream.LIKES, ELEMENTS[:2]), ORIGIN)
    assert steps[:8] == ["write", "sync", "check", "write", "sync", "check", "rename", "rename"]
    assert set(steps[8:]) == {"sync directory"}


def test_sweeping_leaves_other_owners_staging_alone(tmp_path: Path) -> None:
    for stream in (Stream.LIKES, Stream.POSTS):
        staging_root(tmp_path, stream).mkdir(parents=True)
        (staging_root(tmp_path, stream) / "rejects-0-x.tmp").touch()
    assert sweep(tmp_path, [Stream.LIKES, Stream.REJECTS]) == 1
    assert [path.parent.name for path in staged(tmp_path)] == ["posts"]


def test_strangers_are_an_earlier_attempt_s_parts_and_no_others(tmp_path: Path) -> None:
    earlier = commit(tmp_path, encode(Stream.LIKES, ELEMENTS), ORIGIN)
    other = commit(tmp_path, encode(Stream.LIKES, ELEMENTS[:1]), ORIGIN)
    own, *strangers = earlier.paths
    chunk = encode(Stream.LIKES, ELEMENTS).chunk
    streams = [Stream.LIKES, Stream.REJECTS]
    assert remove_strangers(tmp_path, streams, chunk.id, earlier.paths) == ()
    assert remove_strangers(tmp_path, streams, chunk.id, [own]) == tuple(sorted(strangers))
    assert parts(tmp_path) == sorted([own, *other.paths])
