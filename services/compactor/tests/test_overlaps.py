"""Where events may lie hours apart."""

from __future__ import annotations

from services.archive.footer import SourceChunk
from services.archive.paths import HOUR_US
from services.compactor.overlaps import overlaps, window

DAY_US = 24 * HOUR_US


def source(number: int, hours: tuple[float, float], epoch: int = 1, host: str = "a") -> SourceChunk:
    first, last = (int(hour * HOUR_US) for hour in hours)
    return SourceChunk(f"{number:024d}", "likes", epoch, number, host, first, last)


def test_nothing_overlaps_while_nothing_changes() -> None:
    assert overlaps([source(1, (1, 2)), source(2, (2, 9)), source(3, (5, 6))], DAY_US) == ()


def test_a_new_epoch_is_compared_from_where_it_resumed_to_the_newest_hour_before() -> None:
    before = [source(1, (1, 2)), source(2, (2, 7.5))]
    again = [source(3, (4.5, 6), epoch=2), source(4, (3.5, 9), epoch=2)]
    assert overlaps([*before, *again], DAY_US) == ((2, 7),)
    assert overlaps([*again, *before], DAY_US) == ((2, 7),), "in whatever order the files are read"


def test_another_host_is_compared_too_and_back_again() -> None:
    told = [source(1, (1, 5)), source(2, (4, 7), host="b"), source(3, (6, 9))]
    assert overlaps(told, DAY_US) == ((1, 5), (4, 7))


def test_no_span_is_longer_than_a_host_can_look_back() -> None:
    told = [source(1, (0, 100)), source(2, (3, 101), epoch=2)]
    assert overlaps(told, 24 * HOUR_US) == ((76, 100),)


def test_the_window_is_the_neighbours_or_the_widest_span() -> None:
    assert window(9, 1, ()) == 8
    assert window(9, 1, ((2, 5), (4, 9), (6, 12))) == 4
