"""An archive of segments as a repair wants it: its list, a segment's blocks, and a block's rows, checked.

Source: jetstream's lexicons network.bsky.jetstream, `listSegments`, `getSegment`, `getBlock`. `planSnapshot`
is not asked: it plans by sequence number and names whole segments, some 256 MB that the public hosts meter;
what a hole needs is known by time, and a segment's index, some kB of it, has the time of each block.
"""

from __future__ import annotations

from itertools import count, pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import msgspec

from services.shared.errors import BadInput
from services.shared.retry import back_off
from services.tools.query.intervals import Span, merged
from services.tools.segments.client import Later, NotHad
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
    from services.tools.segments.client import Answer, Asking
    from services.tools.segments.format import Block, Row

PAGE = 1000
DOWNLOADS = 3
"""Of something that came damaged, before it is believed to be."""
KEPT_BYTES = 64 << 20
"""Of the last blocks, as they came: two neighbouring pieces of a hole share some."""
_LIST, _SEGMENT, _BLOCK = (
    f"xrpc/network.bsky.jetstream.{name}" for name in ("listSegments", "getSegment", "getBlock")
)
T = TypeVar("T")


class Rewritten(Exception):  # noqa: N818 - named after what happened
    """A segment is of another generation than the list had it: to be listed and planned anew."""


class _Listed(msgspec.Struct, rename="camel"):
    name: str
    index: int
    size_bytes: int
    checksum: str
    event_count: int
    # The lexicon's first form called them so.
    min_indexed_at: int | None = None
    max_indexed_at: int | None = None
    min_witnessed_at: int | None = None
    max_witnessed_at: int | None = None


class _Page(msgspec.Struct):
    segments: list[_Listed]
    cursor: str = ""


class Archive:
    """One host's archive of segments."""

    def __init__(self, asking: Asking, stopping: Stopping) -> None:
        self._asking = asking
        self._stopping = stopping
        self._segments: list[Segment] | None = None
        self._blocks: dict[tuple[str, str], list[Block]] = {}
        self._kept: dict[tuple[str, str, int], bytes] = {}

    @property
    def name(self) -> str:
        """The address, for people and for rows of `gaps`."""
        return self._asking.address

    @property
    def downloaded(self) -> int:
        """Bytes, so far."""
        return self._asking.bytes

    def forget(self) -> None:
        """Ask for the list anew next time."""
        self._segments = None

    def segments(self) -> list[Segment]:
        """Return all sealed segments, in order. Raises BadInput, or Later when stopping."""
        if self._segments is None:
            found: list[Segment] = []
            cursor = ""
            while True:
                words: dict[str, str | int] = {"limit": PAGE, **({"cursor": cursor} if cursor else {})}
                page = _page(self._asking.get(_LIST, words).body, self.name)
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
        """Return the index of a segment. Raises NotHad, BadInput, Rewritten, or Later when stopping."""
        known = (segment.name, segment.checksum)
        if known not in self._blocks:
            self._blocks[known] = self._sound(f"segment {segment.name}", lambda: self._index(segment))
        return self._blocks[known]

    def rows(self, segment: Segment, block: Block) -> list[Row]:
        """Return the rows of a block. Raises NotHad, BadInput, Rewritten, or Later when stopping."""
        what = f"block {block.number} of segment {segment.name}"
        return self._sound(what, lambda: read_rows(open_block(self._frame(segment, block), block), block))

    def _index(self, segment: Segment) -> list[Block]:
        header = read_header(self._part(segment, range(HEADER_BYTES)))
        if header.checksum != segment.checksum:
            raise Rewritten(segment.name)
        if header.events != segment.events:
            raise Damaged("its header and the list have other numbers of events")
        if not header.blocks:
            return []
        where = range(header.index_at, header.index_at + header.index_bytes)
        return read_index(self._part(segment, where), header)

    def _part(self, segment: Segment, part: range) -> bytes:
        answer = self._asking.get(_SEGMENT, {"name": segment.name}, part=part)
        if not answer.is_part:
            raise NotHad(f"{self.name} sends a whole segment where a part is asked for")
        _same_generation(answer, segment)
        if len(answer.body) != len(part):
            raise Damaged(f"{len(answer.body):,} bytes came, not {len(part):,}")
        return answer.body

    def _frame(self, segment: Segment, block: Block) -> bytes:
        known = (segment.name, segment.checksum, block.number)
        frame = self._kept.pop(known, None)
        if frame is None:
            answer = self._asking.get(_BLOCK, {"segment": segment.name, "blockIndex": block.number})
            _same_generation(answer, segment)
            frame = answer.body
            open_block(frame, block)
        self._kept[known] = frame
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEPT_BYTES:
            del self._kept[next(iter(self._kept))]
        return frame

    def _sound(self, what: str, load: Callable[[], T]) -> T:
        """Load something, again if it came damaged. Raises NotHad when it always does."""
        for attempt in count(1):
            try:
                return load()
            except Damaged as error:
                if attempt == DOWNLOADS:
                    raise NotHad(
                        f"{self.name}: {what} cannot be used, {DOWNLOADS} downloads: {error}"
                    ) from error
                if self._stopping.sleep(back_off(attempt)):
                    raise Later("stopped") from error
        raise AssertionError


def _page(raw: bytes, name: str) -> _Page:
    try:
        return msgspec.json.decode(raw, type=_Page)
    except msgspec.MsgspecError as error:
        raise BadInput(f"{name} gives another list of segments than this program knows: {error}") from error


def _segment(told: _Listed, name: str) -> Segment:
    first_us = told.min_indexed_at if told.min_witnessed_at is None else told.min_witnessed_at
    last_us = told.max_indexed_at if told.max_witnessed_at is None else told.max_witnessed_at
    if first_us is None or last_us is None or last_us < first_us:
        raise BadInput(f"{name} does not say of which time its segment {told.name} is")
    return Segment(told.name, told.index, told.size_bytes, told.checksum, told.event_count, first_us, last_us)


def _same_generation(answer: Answer, segment: Segment) -> None:
    """Raise Rewritten where the ETag (`<checksum>`, of a block `<checksum>:<number>`) is of another one."""
    if answer.tag and answer.tag.partition(":")[0] != segment.checksum:
        raise Rewritten(segment.name)


class Segment(NamedTuple):
    """A sealed segment, as the list tells of it."""

    name: str
    number: int
    bytes: int
    checksum: str
    """Names the generation: a compaction rewrites a segment under its name."""
    events: int
    first_us: int
    last_us: int
    """Both ends are in, in Unix microseconds of receipt by that server."""


class Timed(Protocol):
    """Anything with two times, both ends in."""

    @property
    def first_us(self) -> int:
        """Return the first."""

    @property
    def last_us(self) -> int:
        """Return the last."""


TimedThing = TypeVar("TimedThing", bound=Timed)


def overlapping(things: Iterable[TimedThing], span: Span) -> list[TimedThing]:
    """Return those that may hold an event of the interval."""
    return [thing for thing in things if thing.first_us < span.to_us and thing.last_us >= span.from_us]


def span_of(thing: Timed) -> Span:
    """Return all the time that lies in it."""
    return Span(thing.first_us, thing.last_us + 1)


def covered(segments: Sequence[Segment], asked: Span) -> list[Span]:
    """Return what of an interval these segments, in order, can tell whole.

    Between two neighbours nothing can lie; where the numbering leaves one out, something may.
    """
    told = [span_of(segment) for segment in segments]
    told += [
        Span(one.first_us, other.last_us + 1)
        for one, other in pairwise(segments)
        if other.number == one.number + 1
    ]
    parts = (Span(max(one.from_us, asked.from_us), min(one.to_us, asked.to_us)) for one in merged(told))
    return [part for part in parts if part.to_us > part.from_us]
