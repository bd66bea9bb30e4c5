"""Which hours are offloaded, under which keys, and which may be removed here."""

from __future__ import annotations

from pathlib import Path

from services.archive.paths import HOUR_US, compacted_name, hour_directory
from services.shared.event import Stream
from services.tools.offload.index import key_of
from services.tools.offload.run import ClosedHour, closed_hours, is_old_enough

HOUR = 497_222
MERGED = compacted_name(HOUR * HOUR_US, HOUR * HOUR_US + 5, 10, "0" * 24)
PART = MERGED.removeprefix("compacted-")


def test_only_hours_with_compacted_files_alone_are_closed() -> None:
    hours = {HOUR + 1: (MERGED,), HOUR: (MERGED, PART), HOUR - 1: (PART,), HOUR + 2: (MERGED, "stray.txt")}
    assert closed_hours(Stream.POSTS, hours) == [ClosedHour(Stream.POSTS, HOUR + 1, (MERGED,))]


def test_an_objects_key_is_the_path_of_its_file() -> None:
    path = hour_directory(Path("/root"), Stream.LIKES, HOUR) / MERGED
    assert key_of(Stream.LIKES, HOUR, MERGED) == str(path.relative_to("/root"))


def test_an_hour_is_old_enough_by_its_end() -> None:
    assert is_old_enough(HOUR, 48, (HOUR + 49) * HOUR_US)
    assert not is_old_enough(HOUR, 48, (HOUR + 49) * HOUR_US - 1)
