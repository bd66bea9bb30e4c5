"""A faulty segment server: transient faults are retried, permanent ones are reported with the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.archive.gaps import Interval
from services.shared.errors import BadInput
from services.shared.lifecycle import Stopping
from services.tools.segments.archive import Segment, SegmentArchive, SegmentRewritten, covered, overlapping
from services.tools.segments.client import SegmentClient, Unavailable
from services.tools.segments.format import Row
from testing.events import HostView, Traffic
from testing.fakes.segments import FakeSegments, Fault, row_of
from testing.fakes.segments.server import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = [
    row_of(frame, seq)
    for seq, frame in enumerate(Traffic(3, 1_790_006_400_000_000, 1.0, 300).truth(HostView()), 1)
]


@pytest.fixture
def host() -> Iterator[FakeSegments]:
    with FakeSegments(ROWS, segment_events=100, block_events=30, page=2) as served:
        yield served


def archive(host: FakeSegments, output: list[str] | None = None, token: str = TOKEN) -> SegmentArchive:
    stopping, reported = Stopping(), output if output is not None else []
    return SegmentArchive(SegmentClient(host.address, token, stopping, reported.append), stopping)


def everything(asked: SegmentArchive) -> list[Row]:
    return [
        row
        for segment in asked.segments()
        for block in asked.blocks(segment)
        for row in asked.rows(segment, block)
    ]


@pytest.mark.parametrize("by_first_names", [False, True])
def test_all_segments_are_read_page_by_page(host: FakeSegments, by_first_names: bool) -> None:  # noqa: FBT001 - a parameter of the test
    host.by_first_names = by_first_names
    assert everything(archive(host)) == [Row(*row) for row in ROWS]
    assert host.count("listSegments") == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", "getBlock", times=2, status=503),
        Fault("status", "getBlock", times=1, status=429, retry_after="1"),
        Fault("status", "listSegments", times=1, status=500),
        Fault("cut", "getBlock", times=2),
        Fault("cut", "getSegment", times=1),
        Fault("drop", "getSegment", times=1),
        Fault("flip", "blockIndex=2", times=2),
        Fault("move", "getBlock"),
    ],
    ids=lambda fault: f"{fault.what} {fault.status or ''}".strip(),
)
def test_transient_faults_are_retried_and_nothing_is_lost(host: FakeSegments, fault: Fault) -> None:
    output: list[str] = []
    host.faults.append(fault)
    assert everything(archive(host, output)) == [Row(*row) for row in ROWS]
    assert [("waiting 1 s" in one) for one in output] == ([True] if fault.retry_after else [])


@pytest.mark.parametrize(
    ("fault", "output"),
    [
        (
            Fault("status", status=401),
            "refuses the token .401.: make a new one at https://bsky.network/account",
        ),
        (Fault("status", status=403), "refuses the token"),
        (Fault("status", status=400), "is TOOLS_SEGMENTS_URL the address of a Jetstream v2 host"),
        (Fault("status", status=429, retry_after="7200"), "run the same command again after"),
        (Fault("flip", "listSegments"), "a list of segments of an unknown form"),
    ],
    ids=lambda value: f"{value.what} {value.status or ''}".strip() if isinstance(value, Fault) else "",
)
def test_permanent_faults_are_reported_with_the_remedy(host: FakeSegments, fault: Fault, output: str) -> None:
    host.faults.append(fault)
    with pytest.raises(BadInput, match=output) as caught:
        everything(archive(host))
    assert not isinstance(caught.value, Unavailable)


@pytest.mark.parametrize(
    ("fault", "output"),
    [
        (Fault("status", "blockIndex=1", status=404), "404"),
        (Fault("status", "getSegment", status=410), "410"),
        (Fault("flip", "blockIndex=1"), "block 1 of segment seg_0000000000.jss cannot be used, 3 downloads"),
        (Fault("whole", "getSegment"), "whole segment"),
    ],
    ids=lambda value: f"{value.what} {value.status or ''}".strip() if isinstance(value, Fault) else "",
)
def test_an_unavailable_item_is_named(host: FakeSegments, fault: Fault, output: str) -> None:
    host.faults.append(fault)
    with pytest.raises(Unavailable, match=output):
        everything(archive(host))


def test_two_generations_of_a_segment_are_not_mixed(host: FakeSegments) -> None:
    asked = archive(host)
    first = asked.segments()[0]
    blocks = asked.blocks(first)
    host.segments[0].rewrite()
    with pytest.raises(SegmentRewritten):
        asked.rows(first, blocks[0])
    asked.forget()
    assert everything(asked) == [Row(*row) for row in ROWS]


def test_a_wrong_token_is_reported(host: FakeSegments) -> None:
    with pytest.raises(BadInput, match="TOOLS_SEGMENTS_TOKEN_FILE"):
        archive(host, token="another").segments()  # noqa: S106 - of nothing


def test_a_block_that_two_pieces_share_is_downloaded_once(host: FakeSegments) -> None:
    asked = archive(host)
    assert everything(asked) == everything(asked)
    assert host.count("getBlock") == 12
    assert host.count("getSegment") == 6


def segment(number: int, first_us: int, last_us: int) -> Segment:
    return Segment(f"seg_{number}", number, 1000, "0" * 16, 10, first_us, last_us)


THREE = [segment(4, 100, 199), segment(5, 205, 299), segment(7, 400, 499)]


def test_only_overlapping_segments_are_chosen() -> None:
    assert overlapping(THREE, Interval(199, 205)) == THREE[:1]
    assert overlapping(THREE, Interval(200, 205)) == []
    assert overlapping(THREE, Interval(0, 1000)) == THREE


def test_the_time_between_segments_is_covered_unless_a_number_is_missing() -> None:
    assert covered(THREE, Interval(150, 250)) == [Interval(150, 250)]
    assert covered(THREE, Interval(0, 1000)) == [Interval(100, 300), Interval(400, 500)]
    assert covered(THREE, Interval(300, 400)) == []
    assert covered([], Interval(0, 1)) == []
