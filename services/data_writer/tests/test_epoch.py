"""From where an archive goes on when Redis stands differently than it should."""

from __future__ import annotations

import pytest

from services.data_writer.epoch import Beginning, beginning, checkpoints_lost, start_cursor
from services.shared.cursor import Cursor
from services.shared.event import GapReason, Stream

NOW_US = 1_790_000_000_000_000


def cursor(time_us: int, epoch: int, push: int) -> Cursor:
    return Cursor(time_us=time_us, epoch=epoch, push=push, host="h", kind="v1", identity="ab")


CHECKPOINTS = {
    Stream.POSTS: cursor(50, 3, 700),
    Stream.LIKES: cursor(90, 3, 900),
    Stream.GAPS: cursor(80, 3, 800),
}


def begun(stored: Cursor | None, used: int = 3) -> Beginning:
    found = beginning(stored, CHECKPOINTS, used, NOW_US)
    assert found is not None
    return found


@pytest.mark.parametrize("stored", [cursor(10, 3, 900), cursor(10, 3, 901), cursor(10, 4, 1)])
def test_a_cursor_that_is_not_older_than_the_checkpoints_is_believed(stored: Cursor) -> None:
    assert beginning(stored, CHECKPOINTS, stored.epoch, NOW_US) is None


def test_an_epoch_that_was_noted_and_not_begun_is_still_owed() -> None:
    """A backup was restored into a full Redis: nothing could be set, and draining moved the checkpoints."""
    found = begun(cursor(10, 3, 900), used=4)
    assert (found.cursor.epoch, found.cursor.time_us) == (5, 50)


@pytest.mark.parametrize("stored", [cursor(99, 3, 899), cursor(99, 2, 5000)])
def test_an_older_cursor_is_a_backup_and_a_new_epoch_begins_at_the_oldest_checkpoint(stored: Cursor) -> None:
    found = begun(stored)
    assert (found.cursor.epoch, found.cursor.push, found.cursor.time_us) == (4, 900, 50)
    assert found.lowered == (Stream.LIKES, Stream.GAPS)
    assert found.gaps == ()


def test_a_backup_of_an_older_epoch_moves_no_checkpoint_forward() -> None:
    """Its age is older, but it lies further on: what is before it may only be in the restored buffers."""
    checkpoints = dict.fromkeys(CHECKPOINTS, cursor(10, 4, 0))
    found = beginning(cursor(99, 3, 7), checkpoints, 4, NOW_US)
    assert found is not None
    assert found.cursor == cursor(10, 5, 0)
    assert found.lowered == ()


def test_without_a_cursor_the_oldest_checkpoint_counts_by_push_and_not_by_time() -> None:
    assert begun(None).cursor == cursor(50, 4, 900)


def test_no_epoch_is_used_twice() -> None:
    assert begun(None, used=7).cursor.epoch == 8


def test_a_volume_lost_in_the_first_round_sets_back_the_checkpoints_that_had_moved() -> None:
    checkpoints = dict.fromkeys(Stream, start_cursor(1000)) | {Stream.POSTS: cursor(70, 1, 40)}
    found = beginning(None, checkpoints, 1, NOW_US)
    assert found is not None
    assert (found.cursor.epoch, found.cursor.push, found.cursor.time_us) == (2, 40, 1000)
    assert found.lowered == (Stream.POSTS,)


def test_the_start_notes_what_came_before_it() -> None:
    checkpoints = dict.fromkeys(Stream, start_cursor(1000))
    found = beginning(None, checkpoints, 0, NOW_US)
    assert found is not None
    assert (found.cursor.epoch, found.cursor.push, found.cursor.time_us) == (1, 0, 1000)
    (gap,) = found.gaps
    assert (gap.reason, gap.from_us, gap.to_us) == (GapReason.ARCHIVE_START, 0, 1000)


@pytest.mark.parametrize(("committed_us", "from_us"), [(400, 400), (900, 500)])
def test_lost_checkpoints_resume_at_the_floor_with_a_gap(committed_us: int, from_us: int) -> None:
    found, gap = checkpoints_lost(committed_us, 500, NOW_US)
    assert found.time_us == 500
    assert found.epoch > 1_000_000_000
    assert (gap.reason, gap.from_us, gap.to_us) == (GapReason.CHECKPOINTS_LOST, from_us, 500)
