"""Whatever arrives when and whichever hour is merged first, each event stays, in the end once."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from services.archive.footer import SourceChunk
from services.archive.paths import HOUR_US
from services.compactor.plan import (
    Due,
    Hour,
    HourRange,
    PlanRules,
    closed_before,
    due,
    first_compared,
    overlaps,
)

Copy = tuple[str, int, str, int]
"""Identity, time, file and row."""
FAR = PlanRules(0, 48)
DAY_US = 24 * HOUR_US
LATER_US = 1000 * HOUR_US


@dataclass
class File:
    """A file of the model."""

    name: str
    copies: list[Copy]
    chunks: frozenset[str]
    is_merged: bool = False


@dataclass
class StreamHour:
    """An hour of the model."""

    files: list[File] = field(default_factory=list)
    compared: frozenset[str] = frozenset()

    def as_planned(self) -> Hour:
        """Return the state that planning reads."""
        chunks = frozenset[str]().union(*(file.chunks for file in self.files))
        return Hour(not all(file.is_merged for file in self.files), chunks, self.compared)

    def names(self) -> list[str]:
        """List the files."""
        return [file.name for file in self.files]

    def identities(self) -> set[str]:
        """Return the events."""
        return {copy[0] for file in self.files for copy in file.copies}


@dataclass
class Prepared:
    """A merge that waits for its swap."""

    hour: int
    inputs: list[str]
    output: File
    compared: frozenset[str]


def kept(copies: list[Copy], earlier: set[str]) -> list[Copy]:
    """Return the copies that stay, by the rule; the reference of what `duplicates` does in SQL."""
    first: dict[str, Copy] = {}
    for copy in sorted(copies, key=lambda one: one[1:]):
        first.setdefault(copy[0], copy)
    return [copy for identity, copy in first.items() if identity not in earlier]


def prepare(places: dict[int, StreamHour], one: Due, serial: int) -> Prepared:
    place = places[one.hour]
    against = frozenset[str]().union(*(places[hour].as_planned().chunks for hour in one.against))
    earlier = set[str]().union(*(places[hour].identities() for hour in one.against))
    copies = kept([copy for file in place.files for copy in file.copies], earlier)
    output = File(f"compacted-{serial}", copies, place.as_planned().chunks, is_merged=True)
    return Prepared(one.hour, place.names(), output, against | place.compared)


@given(st.integers(0, 2**32))
def test_no_order_of_merges_loses_an_event_or_leaves_it_twice(seed: int) -> None:
    rng = random.Random(seed)
    places: dict[int, StreamHour] = {}
    arrived: set[str] = set()
    waiting: list[Prepared] = []
    for serial in range(40):
        match rng.choice(("arrive", "prepare", "prepare", "swap", "swap")):
            case "arrive":
                chunk = f"chunk{serial}"
                for hour in rng.sample(range(1, 6), rng.randint(1, 3)):
                    some = [f"e{rng.randint(0, 5)}" for _ in range(rng.randint(1, 4))]
                    copies = [(name, rng.randint(0, 3), chunk, row) for row, name in enumerate(some)]
                    place = places.setdefault(hour, StreamHour())
                    place.files.append(File(chunk, copies, frozenset({f"{hour}-{chunk}"})))
                    place.compared = frozenset() if not place.files[0].is_merged else place.compared
                    arrived.update(some)
            case "prepare":
                found = _due(places, waiting)
                if found:
                    waiting.append(prepare(places, rng.choice(found), serial))
            case _ if waiting:
                swap(places, waiting.pop(rng.randrange(len(waiting))))
        there = set[str]().union(*(place.identities() for place in places.values()))
        assert there == arrived
    while waiting or _due(places, waiting):
        for one in waiting:
            swap(places, one)
        waiting = [prepare(places, one, 1000 + one.hour) for one in _due(places, [])]
    left = [copy[0] for place in places.values() for file in place.files for copy in file.copies]
    assert sorted(left) == sorted(arrived)


def _due(places: dict[int, StreamHour], waiting: list[Prepared]) -> list[Due]:
    busy = {one.hour for one in waiting}
    found = due({hour: place.as_planned() for hour, place in places.items()}, LATER_US, FAR, ())
    return [one for one in found if one.hour not in busy]


def swap(places: dict[int, StreamHour], one: Prepared) -> None:
    """Put it in place, unless the hour got something late meanwhile."""
    place = places[one.hour]
    if place.names() == one.inputs:
        place.files = [one.output]
        place.compared = one.compared


def test_an_hour_closes_some_minutes_after_the_watermark_has_passed_its_end() -> None:
    quarter = HOUR_US // 4
    assert closed_before(10 * HOUR_US, quarter) == 9
    assert closed_before(10 * HOUR_US + quarter - 1, quarter) == 9
    assert closed_before(10 * HOUR_US + quarter, quarter) == 10


def test_an_hour_is_due_once_and_again_after_a_late_part() -> None:
    merged = Hour(has_parts=False, chunks=frozenset("a"), compared=frozenset())
    rhythm = PlanRules(0, 1)
    assert due({7: merged}, 8 * HOUR_US, rhythm, ()) == ()
    assert due({7: merged._replace(has_parts=True)}, 8 * HOUR_US - 1, rhythm, ()) == ()
    assert due({7: merged._replace(has_parts=True)}, 8 * HOUR_US, rhythm, ()) == (Due(7, (), False),)
    both = {6: merged, 7: merged._replace(chunks=frozenset("b"), compared=frozenset("a"))}
    assert due(both, LATER_US, rhythm, ()) == ()
    late = both | {6: merged._replace(has_parts=True, chunks=frozenset("ax"))}
    assert due(late, LATER_US, rhythm, ()) == (Due(6, (), False), Due(7, (6,), True))


def test_hours_that_were_read_again_are_compared_with_all_since() -> None:
    part = Hour(has_parts=True, chunks=frozenset(), compared=frozenset())
    hours = dict.fromkeys(range(1, 8), part)
    ranges = (HourRange(2, 5),)
    against = {one.hour: one.against for one in due(hours, LATER_US, PlanRules(0, 1), ranges)}
    assert against == {1: (), 2: (1,), 3: (2,), 4: (2, 3), 5: (2, 3, 4), 6: (5,), 7: (6,)}


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
    sources = [source(1, (1, 5)), source(2, (4, 7), host="b"), source(3, (6, 9))]
    assert overlaps(sources, DAY_US) == ((1, 5), (4, 7))


def test_no_range_is_longer_than_a_host_can_look_back() -> None:
    sources = [source(1, (0, 100)), source(2, (3, 101), epoch=2)]
    assert overlaps(sources, 24 * HOUR_US) == ((76, 100),)


def test_an_hour_is_compared_with_its_neighbours_or_the_widest_range() -> None:
    assert first_compared(9, 1, ()) == 8
    assert first_compared(9, 1, (HourRange(2, 5), HourRange(4, 9), HourRange(6, 12))) == 4
