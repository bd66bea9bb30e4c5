"""One connection to a host: its request, the frames it delivers, and why it ended."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from services.jetstream.connection import ConnectionState, DisconnectReason
from services.jetstream.dedup import DedupWindow
from services.jetstream.inbox import MAX_PENDING_PUSHES, Inbox, PushLimits
from services.jetstream.metrics import IngesterMetrics
from services.jetstream.receive import Receiver
from services.jetstream.resume import ResumeHint, ResumePlan
from services.jetstream.settings import IngesterSettings
from services.jetstream.subscription import LONGEST_URL
from services.jetstream.tests.recording import RecordingValidator, empty
from services.jetstream.validate import Decompressor, load_dictionary
from services.shared.cursor import Cursor
from testing.events import HostView, Traffic
from testing.fakes.jetstream.client import play, stopped_clock, until
from testing.fakes.jetstream.hostile import planted
from testing.fakes.jetstream.settings import Options
from testing.harness.redis import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from testing.fakes.jetstream.server import FakeJetstream

T = 1_783_166_400_000_000
TOTAL = 500
MIB = 1 << 20
TRAFFIC = Traffic(1, T, 100, None)
TRUTH = [TRAFFIC.frame(i, HostView()) for i in range(TOTAL)]


def options(kind: str = "v1", dictionary: Path | None = None) -> Options:
    view = HostView("v2") if kind == "v2" else HostView()
    return Options(
        source=Traffic(1, T, 100, TOTAL), clock=stopped_clock(T, 60), view=view, zstd_dictionary=dictionary
    )


class Reader:
    """A receiver with its inbox and one connection."""

    def __init__(
        self, port: int, *, push: int = 100_000, hint: ResumeHint | None = None, **settings: object
    ) -> None:
        host = f"ws://127.0.0.1:{port}"
        self._validator = RecordingValidator()
        self.inbox = Inbox(PushLimits(push, 1 << 30), DedupWindow(60, 1 << 30), self._validator)
        self.registry = CollectorRegistry()
        given = IngesterSettings(ingest_hosts=(host,), **settings)  # type: ignore[arg-type]
        self.receiver = Receiver(given, self.inbox, IngesterMetrics(self.registry))
        plan = ResumePlan(host, T, exact=False, hint=hint or ResumeHint(), cursor=Cursor(T, 1, 0))
        self.connection = ConnectionState(plan, time.monotonic())
        self.task = asyncio.create_task(self.receiver.receive(self.connection))

    @property
    def frames(self) -> list[bytes]:
        """Frames put into the inbox so far."""
        return self._validator.frames

    async def read(self, frames: int) -> list[bytes]:
        """Wait for so many frames, end the connection, and return the frames."""
        await until(lambda: len(self.inbox) >= frames or self.task.done())
        self.connection.end(DisconnectReason.PAUSED)
        assert await self.task is DisconnectReason.PAUSED
        return self.frames


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_every_frame_arrives_unchanged_and_in_order(kind: str) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        reader = Reader(fake.port)
        await until(lambda: len(reader.inbox) >= TOTAL)
        assert reader.registry.get_sample_value("archive_receive_connected") == 1
        assert await reader.read(TOTAL) == list(fake.truth())
        assert reader.registry.get_sample_value("archive_receive_connected") == 0
        assert reader.registry.get_sample_value("archive_receive_frames_total") == TOTAL
        assert fake.connections[0].cursor == str(T)

    play(scenario, options(kind))


def test_filters_too_long_for_a_url_are_sent_in_a_first_message() -> None:
    every = list(dict.fromkeys(re.findall(rb'^{"did":"([^"]+)"', frame)[0].decode() for frame in TRUTH))
    dids = tuple(every[::2] + [f"did:plc:{i:024}" for i in range(200)])
    wanted = [frame for frame in TRUTH if any(did.encode() in frame[:60] for did in every[::2])]

    async def scenario(fake: FakeJetstream) -> None:
        reader = Reader(fake.port, ingest_dids=dids)
        assert sum(map(len, dids)) > LONGEST_URL
        assert await reader.read(len(wanted)) == wanted
        assert "requireHello=true" in fake.connections[0].path
        assert "wantedDids" not in fake.connections[0].path

    play(scenario, options())


def test_compressed_frames_decompress_to_the_same_events(real_events: Path) -> None:
    path = real_events / "jetstream_v1.zdict"
    if not path.exists():
        pytest.skip("the dictionary is not on this machine")

    async def scenario(fake: FakeJetstream) -> None:
        reader = Reader(fake.port, ingest_compress=True, ingest_dictionary=str(path))
        frames = await reader.read(TOTAL)
        opened = list(map(Decompressor(load_dictionary(str(path)), MIB).open, frames))
        assert opened == TRUTH
        assert sum(map(len, frames)) < sum(map(len, opened)) * 0.7

    play(scenario, options(dictionary=path))


@pytest.mark.parametrize(
    ("status", "reason"),
    [(503, "refused"), (429, "refused"), (500, "refused"), (404, "refused"), (400, "misconfigured")],
)
def test_status_400_is_misconfigured_and_any_other_refused(status: int, reason: str) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.refuse(status=status, body="no\x00thanks" * 200)
        assert await Reader(fake.port).task is DisconnectReason(reason)

    play(scenario, options())


@pytest.mark.parametrize("host", ["ws://127.0.0.1:{port}", "ws://no.such.host.invalid", "ws://a..b"])
def test_a_host_that_cannot_be_reached_is_unreachable(host: str) -> None:
    async def scenario() -> None:
        reader = Reader(free_port())
        await reader.task
        plan = reader.connection.plan._replace(host=host.format(port=free_port()))
        assert (
            await reader.receiver.receive(ConnectionState(plan, time.monotonic()))
            is DisconnectReason.UNREACHABLE
        )

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "response", [b"SSH-2.0-OpenSSH\r\n\r\n", b"", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web"]
)
def test_a_host_that_fails_the_handshake_is_unreachable(response: bytes) -> None:
    async def scenario() -> None:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(response)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        assert await Reader(server.sockets[0].getsockname()[1]).task is DisconnectReason.UNREACHABLE
        server.close()
        await server.wait_closed()

    asyncio.run(asyncio.wait_for(scenario(), 20))


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1009, 1011, 4000])
def test_any_close_code_of_a_host_gives_the_reason_closed(code: int) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        reader = Reader(fake.port)
        await until(lambda: len(reader.inbox) == TOTAL)
        fake.faults.hang_up(code)
        assert await reader.task is DisconnectReason.CLOSED
        assert reader.frames == TRUTH

    play(scenario, options())


def test_an_oversize_frame_gives_its_reason_and_earlier_frames_are_kept() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.plant(planted("huge", size=2), before=300)
        reader = Reader(fake.port, ingest_max_frame_bytes=MIB)
        assert await reader.task is DisconnectReason.OVERSIZE_FRAME
        assert reader.frames == TRUTH[:300]

    play(scenario, options())


def test_with_skip_larger_a_host_sends_all_other_frames() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.plant(planted("huge", size=2), before=300)
        reader = Reader(fake.port, ingest_max_frame_bytes=MIB, hint=ResumeHint(skip_larger=True))
        assert await reader.read(TOTAL) == TRUTH

    play(scenario, options())


def test_a_host_that_answers_pings_but_sends_nothing_is_silent() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        fake.faults.mute()
        assert await Reader(fake.port, ingest_idle_seconds=0.3).task is DisconnectReason.SILENT

    play(scenario, options())


def test_a_full_inbox_stops_reading_and_does_not_count_as_silence() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        reader = Reader(fake.port, push=3, ingest_idle_seconds=0.2)
        await until(lambda: reader.inbox.is_full)
        await asyncio.wait([reader.task], timeout=0.5)
        while True:
            assert len(reader.inbox) <= 3 * MAX_PENDING_PUSHES
            assert reader.connection.disconnect_reason is None
            if len(reader.frames) == TOTAL:
                break
            empty(reader.inbox)
            await until(lambda: reader.inbox.is_full or len(reader.frames) == TOTAL)
        assert reader.frames == TRUTH
        empty(reader.inbox)
        assert await reader.task is DisconnectReason.SILENT

    play(scenario, options())


def test_a_connection_ended_while_the_inbox_is_full_adds_no_frames() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        reader = Reader(fake.port, push=3)
        await until(lambda: reader.inbox.is_full)
        reader.connection.end(DisconnectReason.PAUSED)
        assert await reader.task is DisconnectReason.PAUSED
        assert len(reader.inbox) <= 3 * MAX_PENDING_PUSHES + 1, (
            "paused for want of room: no time to fill dedup up"
        )

    play(scenario, options())


def test_a_connection_ended_before_it_opens_delivers_nothing() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        reader = Reader(fake.port)
        reader.connection.end(DisconnectReason.PAUSED)
        assert await reader.task is DisconnectReason.PAUSED
        assert reader.frames == []

    play(scenario, options())
