"""What is older than it is to be kept goes, by the stream's owner, and the ledger stays closed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import structlog

from services.archive.catalog import Catalog
from services.archive.checkpoints import create_checkpoints
from services.archive.coverage import State, read_coverage
from services.archive.footer import total
from services.archive.notes import read_removals
from services.archive.paths import HOUR_US, hour_directory, removed_path
from services.archive.swap import swap_prepared
from services.compactor.coverage import refresh_coverage
from services.compactor.retention import expired, purge, retire
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.data_writer.recover import start_cursor
from services.shared.event import Gap, GapReason, Stream
from testing.events import HostView, Traffic
from testing.harness.truth import stream_of

if TYPE_CHECKING:
    from pathlib import Path

DAY_HOURS = 24
FIRST_HOUR = 497_000
FIRST_US = FIRST_HOUR * HOUR_US
ORIGIN = ChunkOrigin(writer_version="1", epoch="1", host="h")


def test_an_hour_expires_when_its_last_moment_is_old_enough() -> None:
    now_us = (FIRST_HOUR + DAY_HOURS) * HOUR_US
    hours = range(FIRST_HOUR - 2, FIRST_HOUR + 2)
    assert expired(hours, 1, now_us) == [FIRST_HOUR - 2, FIRST_HOUR - 1]
    assert expired(hours, 1, now_us - 1) == [FIRST_HOUR - 2]


def posts(root: Path, hour: int) -> int:
    frames = [
        frame
        for frame in Traffic(1, hour * HOUR_US, 1.0, 300).truth(HostView())
        if stream_of(frame) == "posts"
    ]
    commit(root, encode(Stream.POSTS, frames, "h"), ORIGIN)
    return len(frames)


def test_expired_hours_are_removed_and_accounted_for_and_gaps_stay(tmp_path: Path) -> None:
    old = posts(tmp_path, FIRST_HOUR)
    posts(tmp_path, FIRST_HOUR + 30)
    gap = Gap(1, 2, GapReason.ARCHIVE_START, "", FIRST_US).encode()
    commit(tmp_path, encode(Stream.GAPS, [gap], "h"), ORIGIN)
    now_us = (FIRST_HOUR + 1 + DAY_HOURS) * HOUR_US
    assert retire(tmp_path, Catalog(tmp_path), 1, now_us) == 1
    assert hour_directory(tmp_path, Stream.POSTS, FIRST_HOUR).exists(), "only the stream's owner removes"
    assert retire(tmp_path, Catalog(tmp_path), 1, now_us) == 0, "handed over once"
    assert len(list(swap_prepared(tmp_path, Stream.POSTS))) == 1
    assert not hour_directory(tmp_path, Stream.POSTS, FIRST_HOUR).exists()
    assert hour_directory(tmp_path, Stream.POSTS, FIRST_HOUR + 30).exists()
    assert hour_directory(tmp_path, Stream.GAPS, FIRST_HOUR).exists()
    (removal,) = read_removals(removed_path(tmp_path, Stream.POSTS, FIRST_HOUR))
    assert removal.cause == "retention"
    assert total(*(one.accounted for one in removal.inputs)) == {"1": {"posts": old}}


@pytest.mark.parametrize("known", [True, False])
def test_coverage_keeps_the_row_count_of_a_removed_hour(tmp_path: Path, known: bool) -> None:  # noqa: FBT001 - two cases
    old = posts(tmp_path, FIRST_HOUR)
    create_checkpoints(tmp_path, Stream, start_cursor((FIRST_HOUR + 2) * HOUR_US).encode())
    if known:
        refresh_coverage(tmp_path, FIRST_US)
    retire(tmp_path, Catalog(tmp_path), 1, (FIRST_HOUR + 1 + DAY_HOURS) * HOUR_US)
    list(swap_prepared(tmp_path, Stream.POSTS))
    refresh_coverage(tmp_path, FIRST_US)
    (row,) = [one for one in read_coverage(tmp_path) if one.rows]
    assert (row.stream, row.hour, row.rows, row.parts, row.bytes) == (Stream.POSTS, FIRST_HOUR, old, 0, 0)
    assert row.state is State.CLOSED


def test_a_damaged_hour_is_not_removed_by_retention(tmp_path: Path) -> None:
    posts(tmp_path, FIRST_HOUR)
    (part,) = hour_directory(tmp_path, Stream.POSTS, FIRST_HOUR).iterdir()
    part.write_bytes(b"no Parquet")
    with structlog.testing.capture_logs() as lines:
        assert retire(tmp_path, Catalog(tmp_path), 1, FIRST_US * 2) == 0
    assert [line["event"] for line in lines] == ["retention.refused"]


def test_only_files_replaced_long_enough_ago_are_deleted(tmp_path: Path) -> None:
    for name, at in (("old", 100), ("young", 200)):
        hour = tmp_path / ".state/replaced" / "likes" / name
        hour.mkdir(parents=True)
        (hour / "part.parquet").touch()
        os.utime(hour, (at, at))
    assert purge(tmp_path, 150) == 1
    assert [path.name for path in (tmp_path / ".state/replaced" / "likes").iterdir()] == ["young"]
    assert purge(tmp_path, 150) == 0
