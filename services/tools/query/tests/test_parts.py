"""Hours and times as users write them, and the rows of the hours that an interval overlaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.archive.gaps import Interval
from services.archive.parquet import DamagedFile
from services.archive.paths import HOUR_US
from services.shared.errors import BadInput, Transient
from services.shared.event import Stream
from services.tools.query.parts import paths_in, read_hours, read_time, row_groups
from services.tools.tests.making import START_HOUR, START_US, archive, events

if TYPE_CHECKING:
    from pathlib import Path


def test_hours_and_times_are_parsed() -> None:
    assert read_hours("2026-09-21T16") == range(START_HOUR, START_HOUR + 1)
    assert read_hours("2026-09-21") == range(START_HOUR - 16, START_HOUR + 8)
    assert read_hours("2026-09-21T16..2026-09-22") == range(START_HOUR, START_HOUR + 32)
    assert read_time("2026-09-21T18:00:00.000001+02:00") == START_US + 1


@pytest.mark.parametrize("text", ["", "today", "2026-13-01", "2026-09-22..2026-09-21"])
def test_an_invalid_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="write"):
        read_hours(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return archive(tmp_path / "archive", {Stream.LIKES: events(7200)[Stream.LIKES]})


def test_parts_of_all_overlapped_hours_are_yielded(root: Path) -> None:
    whole = list(paths_in(root, Stream.LIKES, Interval(START_US, START_US + 2 * HOUR_US)))
    first = list(paths_in(root, Stream.LIKES, Interval(START_US, START_US + HOUR_US)))
    second = list(paths_in(root, Stream.LIKES, Interval(START_US + HOUR_US, START_US + HOUR_US + 1)))
    assert whole == [*first, *second]
    assert first
    assert second
    assert list(paths_in(root, Stream.LIKES, Interval(START_US - 1, START_US))) == []


def test_only_the_requested_columns_are_read(root: Path) -> None:
    (table, *_) = row_groups(root, Stream.LIKES, Interval(START_US, START_US + 1), ["did"])
    assert table.column_names == ["did"]


def test_a_part_that_was_compacted_meanwhile_raises_transient(root: Path) -> None:
    reading = row_groups(root, Stream.LIKES, Interval(START_US, START_US + HOUR_US), ["did"])
    next(reading)
    for path in paths_in(root, Stream.LIKES, Interval(START_US, START_US + HOUR_US)):
        path.unlink()
    with pytest.raises(Transient, match="compacted meanwhile"):
        list(reading)


def test_a_damaged_part_is_named_with_the_remedy(root: Path) -> None:
    path = next(paths_in(root, Stream.LIKES, Interval(START_US, START_US + 1)))
    path.write_bytes(b"PAR1")
    with pytest.raises(DamagedFile, match="archive verify"):
        list(row_groups(root, Stream.LIKES, Interval(START_US, START_US + 1), ["did"]))
