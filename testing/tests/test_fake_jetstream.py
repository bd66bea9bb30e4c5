"""The fake host without faults: replay, live tail, cursors, filters, compression, slow clients."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
import zstandard
from websockets.exceptions import InvalidStatus

from testing.events import HostView, Traffic
from testing.fakes.jetstream import FakeJetstream, Options, Recording
from testing.fakes.jetstream.client import drain, play, stopped_clock, subscribed, take, until

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

FIRST = 1_783_175_888_000_000
TRAFFIC = Traffic(seed=5, first_us=FIRST, rate=100.0)
V2 = HostView("v2", first_seq=50)
REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
DICTIONARY = REAL / "jetstream_v1.zdict"


def options(**changes: Any) -> Options:
    """Return a host whose 10 s of backlog are exact, as its clock stands still."""
    return replace(Options(source=TRAFFIC, clock=stopped_clock(FIRST, 10.0)), **changes)


def frames(fake: FakeJetstream, begin: int, end: int) -> list[bytes]:
    return [fake.store.frame(i) for i in range(begin, end)]


async def expect(fake: FakeJetstream, query: str, begin: int) -> None:
    """Check that a query is answered with everything from `begin` to the tip, and goes on live after it."""
    tip = fake.store.tip()
    async with subscribed(fake, query) as socket:
        assert await take(socket, tip - begin) == frames(fake, begin, tip)
        await until(lambda: fake.connections[-1].caught_up)
        fake.options.clock.advance(0.1)
        assert await take(socket, fake.store.tip() - tip) == frames(fake, tip, fake.store.tip())


@pytest.mark.parametrize("query", ["", "?cursor=", f"?cursor={FIRST + 10**12}"])
@pytest.mark.parametrize("view", [HostView(), V2])
def test_without_a_past_cursor_it_is_live(query: str, view: HostView) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        await expect(fake, query, fake.store.tip())

    play(scenario, options(view=view))


@pytest.mark.parametrize("offset_us", [0, 250_000])
def test_v1_replays_from_the_cursor_inclusively(offset_us: int) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        at = fake.store.time_us(400)
        assert at == TRAFFIC.time_us(400) + offset_us
        await expect(fake, f"?cursor={at}", 400)
        await expect(fake, f"?cursor={at + 1}", 401)
        await expect(fake, "?cursor=0", 0)
        await expect(fake, f"?cursor={fake.store.time_us(fake.store.tip() - 3)}", fake.store.tip() - 3)

    play(scenario, options(view=HostView(offset_us=offset_us)))


def test_v2_replays_by_sequence_number_inclusively() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        await expect(fake, "?cursor=450", 400)
        await expect(fake, "?cursor=0", 0)
        await expect(fake, f"?cursor={50 + fake.store.tip()}", fake.store.tip())
        assert json.loads(fake.store.frame(400))["cursor"] == 450

    play(scenario, options(view=V2))


def test_v2_replays_by_time_from_the_first_of_a_batch() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        assert fake.store.time_us(401) == fake.store.time_us(399)
        await expect(fake, f"?cursor={fake.store.time_us(401)}", 399)

    play(scenario, options(view=V2))


def test_v2_time_cursor_may_start_much_earlier() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        cursor = fake.store.time_us(400)
        await expect(fake, f"?cursor={cursor}", fake.store.source.index_at(cursor - cursor % 3_000_000))  # type: ignore[union-attr] # traffic here

    play(scenario, options(view=HostView("v2", batch=1), time_cursor_rewind_s=3.0))


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(("view", "cursor"), [(HostView(), FIRST), (HostView("v2", batch=1), 1), (V2, FIRST)])
def test_an_old_cursor_is_silently_clamped(view: HostView, cursor: int, *, at_once: bool) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        if not at_once:
            fake.store.keep(4.0)
        floor = TRAFFIC.seen_index_at(FIRST + 6_000_000, view)
        assert floor > 500
        await expect(fake, f"?cursor={cursor}", floor)

    play(scenario, options(view=view, **({"look_back_s": 4.0} if at_once else {})))


@pytest.mark.parametrize("repeats_all", [False, True])
def test_a_cursor_after_the_newest_event(*, repeats_all: bool) -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake, f"?cursor={FIRST + 9_000_000}") as socket:
            if repeats_all:
                assert await take(socket, 50) == frames(fake, 0, 50)
            await until(lambda: fake.connections[0].caught_up)
        assert fake.connections[0].sent == (50 if repeats_all else 0)

    short = Traffic(seed=5, first_us=FIRST, rate=100.0, total=50)
    play(scenario, options(source=short, empty_replay_repeats_all=repeats_all))


async def received(fake: FakeJetstream, socket: ClientConnection) -> list[dict[str, Any]]:
    """Return all that one connection was sent by the time it reached the tip."""
    await until(lambda: fake.connections[-1].caught_up)
    return [json.loads(frame) for frame in await take(socket, fake.connections[-1].sent)]


def test_filters_by_collection_and_did() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        everything = [json.loads(frame) for frame in fake.truth()]
        async with subscribed(fake, "?cursor=0&wantedCollections=app.bsky.graph.*") as socket:
            wanted = [
                e for e in everything if e["kind"] != "commit" or ".graph." in e["commit"]["collection"]
            ]
            assert await received(fake, socket) == wanted
        did = next(e["did"] for e in everything if e["kind"] == "identity")
        async with subscribed(fake, f"?cursor=0&wantedDids={did}") as socket:
            assert await received(fake, socket) == [e for e in everything if e["did"] == did]
        async with subscribed(fake, "?cursor=0&maxMessageSizeBytes=450") as socket:
            assert await received(fake, socket) == [json.loads(f) for f in fake.truth() if len(f) <= 450]

    play(scenario, options())


def test_requirehello_waits_and_a_hello_changes_filters() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake, "?cursor=0&requireHello=true") as socket:
            await socket.send(json.dumps({"type": "greeting"}))
            assert not fake.connections[0].sent
            payload = {"wantedCollections": ["app.bsky.graph.follow"]}
            await socket.send(json.dumps({"type": "options_update", "payload": payload}))
            events = await received(fake, socket)
            assert {e["commit"]["collection"] for e in events if e["kind"] == "commit"} == {
                "app.bsky.graph.follow"
            }

    play(scenario, options())


@pytest.mark.parametrize(
    ("view", "message", "code"),
    [(HostView(), "{", 1000), (V2, "{", 1007), (HostView(), "bad", 1000), (V2, "bad", 1008)],
)
def test_a_bad_hello_ends_the_connection(view: HostView, message: str, code: int) -> None:
    bad = json.dumps({"type": "options_update", "payload": {"wantedCollections": ["?"]}})

    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake, "?requireHello=true") as socket:
            await socket.send(bad if message == "bad" else message)
            await drain(socket)
            assert socket.close_code == code
            assert socket.close_reason

    play(scenario, options(view=view))


def test_refusals_precede_the_upgrade() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with subscribed(fake, "?cursor=soon"):
                pass
        assert (refused.value.response.status_code, refused.value.response.body) == (
            400,
            b"invalid cursor: soon",
        )
        assert (fake.connections[0].refused, fake.connections[0].cursor) == (400, "soon")
        page = await asyncio.to_thread(_page, fake.url.replace("ws:", "http:").removesuffix("subscribe"))
        assert page == b"Welcome to Jetstream"

    play(scenario, options())


def _page(address: str) -> bytes:
    with urlopen(address, timeout=5) as answer:  # noqa: S310 - our own port
        return bytes(answer.read())


def test_each_compressed_frame_is_independent() -> None:
    if not DICTIONARY.exists():
        pytest.skip(f"no dictionary at {DICTIONARY}")
    dictionary = DICTIONARY.read_bytes()
    expected = "b8d77b46933aceecbdd5275a01241efc985c970c78162b8150cf67a26522f70c"
    assert hashlib.sha256(dictionary).hexdigest() == expected
    reader = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(dictionary))

    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake, f"?compress=true&cursor={fake.store.time_us(900)}") as socket:
            sent = [await socket.recv() for _ in range(50)]
        assert all(isinstance(frame, bytes) for frame in sent)
        assert all(zstandard.frame_content_size(frame) > 0 for frame in sent if isinstance(frame, bytes))
        assert [reader.decompress(f) for f in sent if isinstance(f, bytes)] == frames(fake, 900, 950)

    play(scenario, options(zstd_dictionary=DICTIONARY))


def test_a_slow_live_client_is_cut_off_without_a_close_frame() -> None:
    async def scenario(fake: FakeJetstream) -> None:
        async with subscribed(fake) as socket:
            await until(lambda: fake.connections[0].caught_up)
            # Far more than the sockets' buffers hold, with nobody reading.
            fake.options.clock.advance(600.0)
            await until(lambda: fake.faults.fired["overflow"])
            await drain(socket)
            assert socket.close_code == 1006

    play(scenario, options(outbox=100))


def test_a_recording_is_replayed_byte_for_byte() -> None:
    path = REAL / "jetstream_v1_20260704.jsonl"
    if not path.exists():
        pytest.skip(f"no captured events at {path}")
    recording = Recording(path, first_us=FIRST, rate=500.0)

    async def scenario(fake: FakeJetstream) -> None:
        cursor = sorted(recording.times)[70]
        async with (
            subscribed(fake, "?cursor=0") as everything,
            subscribed(fake, f"?cursor={cursor}") as later,
        ):
            assert await take(everything, 152) == path.read_bytes().splitlines()
            wanted = [f for f, at in zip(recording.frames, recording.times, strict=True) if at >= cursor]
            assert await take(later, len(wanted)) == wanted

    play(scenario, options(source=recording))
