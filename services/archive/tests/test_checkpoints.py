"""Checkpoints: durable, and created only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.archive.checkpoints import (
    create_checkpoints,
    note_epoch,
    read_checkpoints,
    sweep_checkpoints,
    used_epoch,
    write_checkpoint,
)
from services.archive.paths import checkpoint_path
from services.shared.cursor import Cursor
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = Cursor(time_us=1, epoch=1, push=1), Cursor(time_us=2, epoch=1, push=2, host="h", identity="ff")


def test_checkpoints_are_read_back_as_written(tmp_path: Path) -> None:
    create_checkpoints(tmp_path, [Stream.POSTS, Stream.LIKES], OLD.encode())
    write_checkpoint(tmp_path, Stream.LIKES, NEW.encode())
    assert read_checkpoints(tmp_path) == {Stream.POSTS: OLD, Stream.LIKES: NEW}
    assert [path.suffix for path in (tmp_path / ".state/checkpoints").iterdir()] == [".json", ".json"]


def test_existing_checkpoints_are_not_replaced_by_creation(tmp_path: Path) -> None:
    create_checkpoints(tmp_path, [Stream.POSTS], OLD.encode())
    create_checkpoints(tmp_path, [Stream.POSTS], NEW.encode())
    assert read_checkpoints(tmp_path) == {Stream.POSTS: OLD}


def test_a_new_archive_has_no_checkpoints(tmp_path: Path) -> None:
    assert read_checkpoints(tmp_path) == {}
    assert used_epoch(tmp_path) == 0


def test_the_highest_epoch_is_stored(tmp_path: Path) -> None:
    note_epoch(tmp_path, 4)
    note_epoch(tmp_path, 5)
    assert used_epoch(tmp_path) == 5


def test_staged_files_of_a_killed_writer_are_removed_by_the_owner(tmp_path: Path) -> None:
    create_checkpoints(tmp_path, [Stream.POSTS, Stream.LIKES], OLD.encode())
    note_epoch(tmp_path, 1)
    staged = [
        tmp_path / name
        for name in (
            ".state/checkpoints/posts.77.tmp",
            ".state/checkpoints/likes.78.tmp",
            ".state/epoch.77.tmp",
        )
    ]
    for path in staged:
        path.write_bytes(b"{")
    assert sweep_checkpoints(tmp_path, [Stream.POSTS]) == 2
    assert [path.exists() for path in staged] == [False, True, False]
    assert set(read_checkpoints(tmp_path)) == {Stream.POSTS, Stream.LIKES}
    assert used_epoch(tmp_path) == 1


def test_a_damaged_checkpoint_is_a_broken_invariant_that_names_the_file(tmp_path: Path) -> None:
    create_checkpoints(tmp_path, [Stream.POSTS], OLD.encode())
    checkpoint_path(tmp_path, Stream.POSTS).write_bytes(b"{")
    with pytest.raises(BrokenInvariant, match=r"posts\.json"):
        read_checkpoints(tmp_path)


def test_a_disk_that_cannot_be_written_is_transient(tmp_path: Path) -> None:
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state/checkpoints").write_text("in the way")
    with pytest.raises(Transient):
        create_checkpoints(tmp_path, [Stream.POSTS], OLD.encode())
