"""The format of segments: written segments are read back, and damaged ones are refused."""

from __future__ import annotations

import json
import struct

import pytest
import zstandard

from services.jetstream.validate import validate
from services.shared.errors import BadInput
from services.tools.segments.format import (
    HEADER_BYTES,
    Block,
    Damaged,
    Row,
    frame_of,
    open_block,
    read_header,
    read_index,
    read_rows,
)
from testing.events import HostView, Traffic
from testing.fakes.segments import as_sent, row_of
from testing.fakes.segments.segment import Row as Kept
from testing.fakes.segments.segment import Segment, encode

ROWS = [
    Kept(7, 1_700_000_000_000_000, 1, "did:plc:a", "app.bsky.feed.post", "3l3qo", "3l3qp", b"\xa0"),
    Kept(8, 1_700_000_001_000_000, 4, "did:web:example.com", "", "", "", b"\xa0"),
    Kept(12, 1_700_000_002_000_000, 3, "did:plc:b", "app.bsky.feed.like", "3l3qq", "3l3qr", b""),
]


def written() -> Segment:
    return Segment(1, ROWS, block_events=2)


def index_of(raw: bytes) -> list[Block]:
    header = read_header(raw)
    return read_index(raw[header.index_at : header.index_at + header.index_bytes], header)


def test_a_written_segment_is_read_back() -> None:
    segment = written()
    header = read_header(segment.raw[:HEADER_BYTES])
    assert (header.checksum, header.blocks, header.events) == (segment.checksum, 2, 3)
    blocks = index_of(segment.raw)
    assert [(one.first_seq, one.last_seq, one.events) for one in blocks] == [(7, 8, 2), (12, 12, 1)]
    rows = [
        row
        for block, frame in zip(blocks, segment.frames, strict=True)
        for row in read_rows(open_block(frame, block), block)
    ]
    assert rows == [Row(*row) for row in ROWS]


def test_the_layout_of_a_block_is_that_of_the_documentation() -> None:
    (row,) = ROWS[:1]
    body = (
        struct.pack("<I", 1)
        + struct.pack("<Qqq", 7, row.witnessed_us, 0)
        + struct.pack("<BBHBBI", 1, 18, 9, 5, 5, 1)
        + b"app.bsky.feed.postdid:plc:a3l3qo3l3qp\xa0"
    )
    block = Block(0, 256, 0, len(body), 1, 7, 7, row.witnessed_us, row.witnessed_us)
    assert read_rows(body, block) == [Row(*row)]


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_any_flipped_byte_of_a_block_is_found(at: int) -> None:
    segment = written()
    block, frame = index_of(segment.raw)[0], bytearray(segment.frames[0])
    frame[at % len(frame)] ^= 0x40
    with pytest.raises(Damaged):
        read_rows(open_block(bytes(frame), block), block)


def test_incomplete_blocks_are_refused() -> None:
    segment = written()
    blocks = index_of(segment.raw)
    with pytest.raises(Damaged, match="bytes were received"):
        open_block(segment.frames[0][:-1], blocks[0])
    with pytest.raises(Damaged, match="events, not"):
        read_rows(open_block(segment.frames[0], blocks[0]), blocks[0]._replace(events=5))
    with pytest.raises(Damaged, match="elsewhere"):
        read_rows(open_block(segment.frames[0], blocks[0]), blocks[0]._replace(first_seq=8))
    frame = zstandard.ZstdCompressor(write_checksum=False).compress(b"any")
    with pytest.raises(Damaged, match="no checksum"):
        open_block(frame, blocks[0]._replace(compressed=len(frame), uncompressed=3))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"jss0" + bytes(252), "not sealed"),
        (b"jss1" + bytes(252), "magic"),
        (b"jss0" + b"\x01" * 8 + b"\x02\x00" + bytes(242), "version 2"),
        (b"jss0" + b"\x01" * 8 + b"\x01\x00\x01" + bytes(241), "another form"),
    ],
)
def test_other_files_than_sealed_segments_of_this_version_are_refused(raw: bytes, why: str) -> None:
    with pytest.raises(Damaged, match=why):
        read_header(raw)


def test_an_index_that_contradicts_itself_is_refused() -> None:
    segment = written()
    header = read_header(segment.raw)
    raw = segment.raw[header.index_at : header.index_at + header.index_bytes]
    with pytest.raises(Damaged, match="another number"):
        read_index(raw, header._replace(events=4))
    with pytest.raises(Damaged, match="bytes"):
        read_index(raw[:-1], header)
    with pytest.raises(Damaged, match="overlap"):
        read_index(raw[52:] + raw[:52], header)


def test_every_event_is_rebuilt_as_it_was_sent() -> None:
    for seq, frame in enumerate(Traffic(5, 1_790_006_400_000_000, 1.0, 4000).truth(HostView()), 1):
        reported = frame_of(Row(*row_of(frame, seq)))
        assert reported is not None
        assert json.loads(reported) == json.loads(as_sent(frame, seq))
        assert validate(reported, 1 << 30).identity == validate(frame, 1 << 30).identity


@pytest.mark.parametrize("record", [[1, None, {"a": True}], "word", 7, None])
def test_a_record_need_not_be_a_map(record: object) -> None:
    row = Row(1, 2, 1, "did:plc:a", "a.b.c", "k", "r", encode(record))
    reported = frame_of(row)
    assert reported is not None
    assert json.loads(reported)["commit"]["record"] == record


def test_kinds_of_rows_that_v1_does_not_send_are_skipped() -> None:
    row = Row(1, 2, 6, "did:plc:a", "", "", "3l3qo", b"\xa0")
    assert frame_of(row) is None
    assert frame_of(row._replace(kind=7)) is None


def test_a_row_that_is_no_event_raises_bad_input() -> None:
    row = Row(1, 2, 1, "did:plc:a", "a.b.c", "k", "r", b"\xff")
    with pytest.raises(BadInput):
        frame_of(row)
    with pytest.raises(BadInput, match="kind"):
        frame_of(row._replace(kind=8))
