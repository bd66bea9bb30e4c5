"""The contestants of path 1 receive every event, and push to Redis exactly what was sent."""

from __future__ import annotations

import contextlib
import importlib.util
import json
from typing import TYPE_CHECKING

import pytest
import redis

from testing.demo.source import Generated
from testing.harness.fixtures import missing
from testing.performance.bench.frames import make_frames, render_v2, v2_frame
from testing.performance.bench.processes import FeedProcess
from testing.performance.bench.receiving import by_a_client

if TYPE_CHECKING:
    from pathlib import Path

    from testing.harness.redis import RedisServer
    from testing.performance.bench.frames import Frames

EVENTS = 500


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    return make_frames(tmp_path_factory.mktemp("frames"), Generated(EVENTS / 500, 500.0, 3))


def lists(server: RedisServer) -> dict[str, list[bytes]]:
    with contextlib.closing(redis.Redis.from_url(server.url("tools"))) as tools:
        return {
            key.decode(): [one for one in tools.lrange(key, 0, -1) if isinstance(one, bytes)]
            for key in tools.scan_iter("events:*")
        }


def expected(frames: Frames) -> dict[str, list[bytes]]:
    return {f"events:{stream}": events for stream, events in frames.by_stream.items()}


def test_the_bare_loop_receives_every_frame(frames: Frames) -> None:
    with FeedProcess(frames.path, EVENTS) as feed:
        found = by_a_client(feed, "testing.performance.bench.receivers.bare", EVENTS)
        assert feed.cpu() >= 0
    assert found.events == EVENTS
    assert min(found.seconds, found.cpu, found.rss) > 0


def test_the_naive_ingester_pushes_every_event_that_was_sent(
    frames: Frames, redis_server: RedisServer
) -> None:
    with FeedProcess(frames.path, EVENTS) as feed:
        found = by_a_client(
            feed, "testing.performance.bench.receivers.naive", EVENTS, redis_server.url("tools")
        )
    assert found.events == EVENTS
    assert lists(redis_server) == expected(frames)


@pytest.mark.parametrize("batch", [1, 64])
def test_the_sdk_pushes_every_event_that_was_sent(
    tmp_path: Path, frames: Frames, redis_server: RedisServer, batch: int
) -> None:
    if importlib.util.find_spec("atproto") is None:
        missing("atproto is not installed")
    v2 = render_v2(frames.path, tmp_path / "v2.jsonl")
    with FeedProcess(v2, EVENTS) as feed:
        url = redis_server.url("tools")
        found = by_a_client(feed, "testing.performance.bench.receivers.sdk", EVENTS, url, str(batch))
    assert found.events == EVENTS
    pushed = {name: [json.loads(one) for one in events] for name, events in lists(redis_server).items()}
    seqs = sorted(event["seq"] for events in pushed.values() for event in events)
    assert seqs == list(range(1, EVENTS + 1))
    sent = {name: [json.loads(one) for one in events] for name, events in expected(frames).items()}
    assert {name: [event["did"] for event in events] for name, events in pushed.items()} == {
        name: [event["did"] for event in events] for name, events in sent.items()
    }
    texts = [event["record"]["text"] for event in pushed["events:posts"] if event.get("record")]
    assert texts == [
        event["commit"]["record"]["text"] for event in sent["events:posts"] if "record" in event["commit"]
    ]


def test_a_v2_frame_holds_everything_of_its_event() -> None:
    commit = {"rev": "r", "operation": "create", "collection": "a.b.c", "rkey": "k", "record": {}, "cid": "x"}
    event = {"did": "did:plc:a", "time_us": 1_783_175_888_000_870, "kind": "commit", "commit": commit}
    message = json.loads(v2_frame(json.dumps(event).encode(), 7))
    assert message["$type"] == "message"
    assert message["payload"] == {
        "$type": "network.bsky.jetstream.subscribeEvents#commit",
        "did": "did:plc:a",
        "seq": 7,
        "time": "2026-07-04T14:38:08.000870Z",
        **commit,
    }
