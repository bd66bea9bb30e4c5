"""An archive of segments.

Its list of segments, the blocks of a segment and the rows of a block, all checked.

Source: jetstream's lexicons network.bsky.jetstream, `listSegments`, `getSegment`, `getBlock`.
`planSnapshot` is not used: it plans by sequence number and returns whole segments of some 256 MB, which the
public hosts meter. A repair knows the time of its gap, and the index of a segment, some kB, has the time of
each block.
"""

from __future__ import annotations

from itertools import count, pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import msgspec

from services.archive.gaps import Interval, intersect, union
from services.shared.errors import BadInput
from services.shared.retry import back_off
from services.tools.segments.client import RetryLater, Unavailable
from services.tools.segments.format import (
    HEADER_BYTES,
    Damaged,
    open_block,
    read_header,
    read_index,
    read_rows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from services.shared.lifecycle import Stopping
    from services.tools.segments.client import Answer, SegmentClient
    from services.tools.segments.format import Block, Row

PAGE = 1000
DOWNLOADS = 3
"""Attempts to download an item that is damaged."""
KEPT_BYTES = 64 << 20
"""Cache of downloaded blocks, in bytes: neighbouring pieces of a gap share some."""
_LIST, _SEGMENT, _BLOCK = (
    f"xrpc/network.bsky.jetstream.{name}" for name in ("listSegments", "getSegment", "getBlock")
)
T = TypeVar("T")


class SegmentRewritten(Exception):  # noqa: N818 - named after what happened
    """The host has rewritten a segment since it was listed: the list must be read again."""


class _Listed(msgspec.Struct, rename="camel"):
    name: str
    index: int
    size_bytes: int
    checksum: str
    event_count: int
    # Names in the first version of the lexicon.
    min_indexed_at: int | None = None
    max_indexed_at: int | None = None
    min_witnessed_at: int | None = None
    max_witnessed_at: int | None = None


class _Page(msgspec.Struct):
    segments: list[_Listed]
    cursor: str = ""


class SegmentArchive:
    """The archive of segments of one host."""

    def __init__(self, client: SegmentClient, stopping: Stopping) -> None:
        self._client = client
        self._stopping = stopping
        self._segments: list[Segment] | None = None
        self._blocks: dict[tuple[str, str], list[Block]] = {}
        self._kept: dict[tuple[str, str, int], bytes] = {}

    @property
    def name(self) -> str:
        """The address, for messages and rows of `gaps`."""
        return self._client.address

    @property
    def downloaded(self) -> int:
        """Bytes downloaded so far."""
        return self._client.bytes

    def forget(self) -> None:
        """Read the list of segments again at the next request."""
        self._segments = None

    def segments(self) -> list[Segment]:
        """Return all sealed segments, in order. Raises BadInput, or RetryLater when stopping."""
        if self._segments is None:
            found: list[Segment] = []
            cursor = ""
            while True:
                parameters: dict[str, str | int] = {"limit": PAGE, **({"cursor": cursor} if cursor else {})}
                page = _page(self._client.get(_LIST, parameters).body, self.name)
                found += [_segment(one, self.name) for one in page.segments]
                if not page.cursor or not page.segments:
                    break
                cursor = page.cursor
            if any(
                one.number >= other.number or one.first_us > other.first_us for one, other in pairwise(found)
            ):
                raise BadInput(f"{self.name} lists its segments out of order; it cannot be read from")
            self._segments = found
        return self._segments

    def blocks(self, segment: Segment) -> list[Block]:
        """Return the index of a segment.

        Raises Unavailable, BadInput, SegmentRewritten, or RetryLater when stopping.
        """
        known = (segment.name, segment.checksum)
        if known not in self._blocks:
            self._blocks[known] = self._sound(f"segment {segment.name}", lambda: self._index(segment))
        return self._blocks[known]

    def rows(self, segment: Segment, block: Block) -> list[Row]:
        """Return the rows of a block.

        Raises Unavailable, BadInput, SegmentRewritten, or RetryLater when stopping.
        """
        what = f"block {block.number} of segment {segment.name}"
        return self._sound(what, lambda: read_rows(open_block(self._frame(segment, block), block), block))

    def _index(self, segment: Segment) -> list[Block]:
        header = read_header(self._part(segment, range(HEADER_BYTES)))
        if header.checksum != segment.checksum:
            raise SegmentRewritten(segment.name)
        if header.events != segment.events:
            raise Damaged("header and list have different numbers of events")
        if not header.blocks:
            return []
        where = range(header.index_at, header.index_at + header.index_bytes)
        return read_index(self._part(segment, where), header)

    def _part(self, segment: Segment, part: range) -> bytes:
        answer = self._client.get(_SEGMENT, {"name": segment.name}, part=part)
        if not answer.is_part:
            raise Unavailable(f"{self.name} sends a whole segment where a range is requested")
        _same_generation(answer, segment)
        if len(answer.body) != len(part):
            raise Damaged(f"{len(answer.body):,} bytes were received, not {len(part):,}")
        return answer.body

    def _frame(self, segment: Segment, block: Block) -> bytes:
        known = (segment.name, segment.checksum, block.number)
        frame = self._kept.pop(known, None)
        if frame is None:
            answer = self._client.get(_BLOCK, {"segment": segment.name, "blockIndex": block.number})
            _same_generation(answer, segment)
            frame = answer.body
            open_block(frame, block)
        self._kept[known] = frame
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT_BYTES:
            del self._kept[next(iter(self._kept))]
        return frame

    def _sound(self, what: str, load: Callable[[], T]) -> T:
        """Load an item, again if it is damaged. Raises Unavailable when every download is damaged."""
        for attempt in count(1):
            try:
                return load()
            except Damaged as error:
                if attempt == DOWNLOADS:
                    raise Unavailable(
                        f"{self.name}: {what} cannot be used, {DOWNLOADS} downloads: {error}"
                    ) from error
                if self._stopping.sleep(back_off(attempt)):
                    raise RetryLater("stopped") from error
        raise AssertionError


def _page(raw: bytes, name: str) -> _Page:
    try:
        return msgspec.json.decode(raw, type=_Page)
    except msgspec.MsgspecError as error:
        raise BadInput(f"{name} sends a list of segments of an unknown form: {error}") from error


def _segment(listed: _Listed, name: str) -> Segment:
    first_us = listed.min_indexed_at if listed.min_witnessed_at is None else listed.min_witnessed_at
    last_us = listed.max_indexed_at if listed.max_witnessed_at is None else listed.max_witnessed_at
    if first_us is None or last_us is None or last_us < first_us:
        raise BadInput(f"{name} does not give the times of its segment {listed.name}")
    return Segment(
        listed.name, listed.index, listed.size_bytes, listed.checksum, listed.event_count, first_us, last_us
    )


def _same_generation(answer: Answer, segment: Segment) -> None:
    """Raise SegmentRewritten if the ETag (`<checksum>` or `<checksum>:<block>`) is of another generation."""
    if answer.tag and answer.tag.partition(":")[0] != segment.checksum:
        raise SegmentRewritten(segment.name)


class Segment(NamedTuple):
    """A sealed segment, as in the list."""

    name: str
    number: int
    bytes: int
    checksum: str
    """Identifies the generation: the host's compaction rewrites a segment under the same name."""
    events: int
    first_us: int
    last_us: int
    """Times of the first and last event's receipt by that host, in Unix microseconds."""


class Timed(Protocol):
    """A segment or a block: has the times of its first and last event."""

    @property
    def first_us(self) -> int:
        """Return the first time."""

    @property
    def last_us(self) -> int:
        """Return the last time."""


TimedThing = TypeVar("TimedThing", bound=Timed)


def overlapping(things: Iterable[TimedThing], interval: Interval) -> list[TimedThing]:
    """Return the segments or blocks that may have an event of the interval. Pure."""
    return [
        thing for thing in things if thing.first_us < interval.to_us and thing.last_us >= interval.from_us
    ]


def interval_of(thing: Timed) -> Interval:
    """Return the interval of a segment or block. Pure."""
    return Interval(thing.first_us, thing.last_us + 1)


def covered(segments: Sequence[Segment], asked: Interval) -> list[Interval]:
    """Return the parts of an interval that these segments, in order, contain completely. Pure.

    No event is between two segments with successive numbers; where a number is missing, there may be some.
    """
    complete = [interval_of(segment) for segment in segments]
    complete += [
        Interval(one.first_us, other.last_us + 1)
        for one, other in pairwise(segments)
        if other.number == one.number + 1
    ]
    return [part for part in intersect(union(complete), asked) if part.to_us > part.from_us]
