"""Frames cut out of bytes equal those that the library parses, wherever the bytes are divided."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.http11 import Response
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from services.jetstream.frames import MAX_BUFFERED_BYTES, MAX_HANDSHAKE_BYTES, FrameReader

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

LARGEST = 70_000
LIMIT = 10.0


class Transport:
    """A transport that records what a reader does with it."""

    def __init__(self) -> None:
        self._reads = True
        self.written = b""

    def reads(self) -> bool:
        """Return whether reading is on."""
        return self._reads

    def pause_reading(self) -> None:
        """Record it; reading must be on."""
        assert self._reads
        self._reads = False

    def resume_reading(self) -> None:
        """Record it; reading must be off."""
        assert not self._reads
        self._reads = True

    def write(self, data: bytes) -> None:
        """Record the bytes."""
        self.written += data

    def __getattr__(self, _: str) -> Callable[..., bool]:
        return lambda *_: False


def protocol() -> ClientProtocol:
    return ClientProtocol(parse_uri("ws://h/"), max_size=LARGEST)


def reader(client: ClientProtocol) -> tuple[FrameReader, Transport]:
    """Return a reader that has sent its handshake."""
    one, transport = FrameReader(client, LARGEST), Transport()
    one.connection_made(cast("asyncio.Transport", transport))
    return one, transport


def handshake_response(client: ClientProtocol) -> bytes:
    """Return a server's response to the handshake of a client."""
    request = client.connect()
    client.send_request(request)
    server = ServerProtocol()
    server.send_response(server.accept(request))
    return b"".join(server.data_to_send())


def bytes_of(frames: Iterable[Frame]) -> bytes:
    return b"".join(frame.serialize(mask=False) for frame in frames)


def by_the_library(client: ClientProtocol, data: bytes) -> list[bytes]:
    """Return the messages that the library itself parses."""
    client.receive_data(data)
    found, pieces = [], b""
    for event in client.events_received():
        if isinstance(event, Response):
            continue
        frame = cast("Frame", event)
        if frame.opcode in DATA_OPCODES:
            pieces += bytes(frame.data)
            if frame.fin:
                found.append(pieces)
                pieces = b""
    return found


async def taken(one: FrameReader) -> list[bytes]:
    """Return the frames that have arrived, without waiting."""
    try:
        async with asyncio.timeout(0):
            return await one.read(1 << 30)
    except TimeoutError:
        return []


payloads = st.binary(max_size=200) | st.sampled_from([125, 126, 65_535, 65_536, LARGEST]).map(bytes)
whole = st.builds(Frame, st.sampled_from([Opcode.TEXT, Opcode.BINARY]), payloads)
control = st.builds(Frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))


@st.composite
def fragmented(draw: st.DrawFn) -> list[Frame]:
    """Return a fragmented message with control frames between its fragments."""
    parts = draw(st.lists(st.binary(max_size=50), min_size=2, max_size=4))
    frames: list[Frame] = []
    for index, part in enumerate(parts):
        opcode = Opcode.CONT if index else Opcode.BINARY
        frames.append(Frame(opcode, part, fin=index == len(parts) - 1))
        frames += draw(st.lists(control, max_size=1))
    return frames


# The last frame may end the connection: too large, between fragments, closing, or invalid.
ends = st.sampled_from(
    [
        b"",
        bytes_of([Frame(Opcode.TEXT, bytes(LARGEST + 1)), Frame(Opcode.TEXT, b"after")]),
        bytes_of([Frame(Opcode.TEXT, b"a", fin=False), Frame(Opcode.TEXT, b"b")]),
        bytes_of([Frame(Opcode.CONT, b"of nothing"), Frame(Opcode.TEXT, b"after")]),
        bytes_of([Frame(Opcode.CLOSE, b"\x03\xe8"), Frame(Opcode.TEXT, b"after")]),
        Frame(Opcode.TEXT, b"masked").serialize(mask=True) + bytes_of([Frame(Opcode.TEXT, b"after")]),
        b"\x83\x01x" + bytes_of([Frame(Opcode.TEXT, b"after")]),
        b"\xc1\x01x",
        b"\x89\x7e\x01\x00" + bytes(256),
        b"\x81\xff" + b"\xff" * 8,
    ]
)


@given(
    st.lists(whole.map(lambda one: [one]) | control.map(lambda one: [one]) | fragmented(), max_size=8),
    ends,
    st.lists(st.integers(0, 100_000), max_size=12),
)
@example([[Frame(Opcode.TEXT, b"a")]], b"", list(range(200)))
def test_it_takes_what_the_library_takes_wherever_the_bytes_are_parted(
    messages: list[list[Frame]], end: bytes, cuts: list[int]
) -> None:
    async def scenario() -> None:
        client, other = protocol(), protocol()
        one, transport = reader(client)
        data = handshake_response(client)
        other.key = client.key
        other.send_request(other.connect())
        client.data_to_send(), other.data_to_send()
        data += bytes_of(frame for message in messages for frame in message) + end
        places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        for at, after in pairwise(places):
            if after > at:
                one.data_received(data[at:after])
        assert await taken(one) == by_the_library(other, data)
        assert client.state is other.state
        assert (client.close_sent, client.close_rcvd) == (other.close_sent, other.close_rcvd)
        assert len(transport.written) == len(b"".join(other.data_to_send())), (
            "pongs, and the answer to a close"
        )

    asyncio.run(scenario())


def opened(scenario: Callable[[FrameReader, Transport], Awaitable[Any]]) -> Any:
    """Run a scenario with an open reader."""

    async def play() -> Any:
        client = protocol()
        one, transport = reader(client)
        one.data_received(handshake_response(client))
        return await scenario(one, transport)

    return asyncio.run(asyncio.wait_for(play(), LIMIT))


def test_read_waits_for_a_frame_and_returns_at_most_the_limit() -> None:
    async def scenario(one: FrameReader, _: Transport) -> None:
        waiting = asyncio.create_task(one.read(2))
        await asyncio.sleep(0)
        assert not waiting.done()
        one.data_received(bytes_of(Frame(Opcode.TEXT, b"%d" % number) for number in range(5)))
        assert await waiting == [b"0", b"1"]
        assert await one.read(100) == [b"2", b"3", b"4"]

    opened(scenario)


def test_reading_the_socket_stops_above_the_limit_and_resumes_below() -> None:
    async def scenario(one: FrameReader, transport: Transport) -> None:
        frame = Frame(Opcode.TEXT, bytes(LARGEST)).serialize(mask=False)
        sent = 0
        while transport.reads():
            one.data_received(frame)
            sent += 1
        assert MAX_BUFFERED_BYTES < sent * LARGEST <= MAX_BUFFERED_BYTES + LARGEST
        await one.read(1)
        assert transport.reads()
        assert len(await one.read(100)) == sent - 1

    opened(scenario)


def test_frames_before_the_end_are_returned_before_the_error() -> None:
    async def scenario(one: FrameReader, _: Transport) -> None:
        one.data_received(bytes_of([Frame(Opcode.TEXT, b"last"), Frame(Opcode.CLOSE, b"\x03\xe8")]))
        waiting = asyncio.create_task(one.read(1))
        one.connection_lost(None)
        assert await waiting == [b"last"]
        with pytest.raises(ConnectionClosed):
            await one.read(1)

    opened(scenario)


def test_frames_after_our_close_are_dropped_and_the_close_frame_is_read() -> None:
    async def scenario(one: FrameReader, transport: Transport) -> None:
        while transport.reads():
            one.data_received(bytes_of([Frame(Opcode.TEXT, bytes(LARGEST))]))
        closing = asyncio.create_task(one.close())
        await asyncio.sleep(0)
        assert transport.reads(), "the close frame must be read although nobody takes frames"
        await taken(one)
        one.data_received(bytes_of([Frame(Opcode.TEXT, b"late")]))
        assert transport.reads()
        one.data_received(bytes_of([Frame(Opcode.CLOSE, b"\x03\xe8")]))
        one.connection_lost(None)
        await closing
        with pytest.raises(ConnectionClosed):
            await one.read(1)
        assert one.protocol.close_rcvd is not None

    opened(scenario)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 101 Switching Protocols\r\n" + b"x" * 2 * MAX_HANDSHAKE_BYTES,
    ],
)
def test_the_library_reports_a_failed_handshake(response: bytes) -> None:
    async def scenario() -> None:
        client = protocol()
        one, _ = reader(client)
        client.send_request(client.connect())
        for at in range(0, len(response), 1000):
            one.data_received(response[at : at + 1000])
        one.connection_lost(None)
        assert client.handshake_exc is not None
        with pytest.raises(ConnectionClosed):
            await one.read(1)

    asyncio.run(scenario())


def test_frames_after_a_very_long_handshake_response_are_read() -> None:
    async def scenario() -> None:
        client = protocol()
        one, _ = reader(client)
        response = handshake_response(client)
        more = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 8000) for number in range(20))
        response = response.removesuffix(b"\r\n") + more + b"\r\n"
        for at in range(0, len(response), 1000):
            one.data_received(response[at : at + 1000])
        waiting = asyncio.create_task(one.read(1))
        await asyncio.sleep(0)
        one.data_received(bytes_of([Frame(Opcode.TEXT, b"first")]))
        assert await asyncio.wait_for(waiting, LIMIT) == [b"first"]

    asyncio.run(scenario())
