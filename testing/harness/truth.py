"""The events that should be in an archive, computed anew from what its fake hosts were started with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testing.demo.host import words_of
from testing.events import HostView, Rhythm, Traffic
from testing.fakes.jetstream.__main__ import arguments, options
from testing.fakes.jetstream.sources import Paced, RateChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testing.harness.host import Host


STREAMS = {
    "app.bsky.feed.post": "posts",
    "app.bsky.feed.like": "likes",
    "app.bsky.feed.repost": "reposts",
    "app.bsky.graph.follow": "follows",
}
KINDS = {"identity": "identities", "account": "accounts"}


def stream_of(event: bytes) -> str:
    """Return the stream of an event, by the data dictionary."""
    parsed = json.loads(event)
    return KINDS.get(parsed["kind"]) or STREAMS.get(parsed["commit"]["collection"], "records")


def truth_of(*hosts: Host) -> Iterator[tuple[str, bytes]]:
    """Yield every event of these hosts, with its stream."""
    for host in hosts:
        options = host.options
        if "file" in options:
            frames = Path(options["file"]).read_bytes().splitlines()
        else:
            view = HostView(
                "v2" if options.get("kind") == "v2" else "v1",
                int(options.get("offset-us", "0")),
                int(options.get("first-seq", "1")),
                int(options.get("batch", "3")),
            )
            traffic = Traffic(
                int(options.get("seed", "1")),
                host.first_us,
                float(options["rate"]),
                int(options["events"]),
                Rhythm.parse(options.get("rhythm", "flat")),
            )
            frames = list(traffic.truth(view))
        for frame in frames:
            yield stream_of(frame), frame


def traffic_of(status: dict[str, Any]) -> Paced:
    """Return the traffic that a host's status describes: seed, rate, changes of the rate, and end."""
    source = dict(status["source"])
    changes = tuple(RateChange(*change) for change in source.pop("changes"))
    rhythm = source.pop("rhythm")
    return Paced(**source, rhythm=None if rhythm is None else Rhythm(**rhythm), changes=changes)


def truth_of_traffic(traffic: Paced, planted: Iterable[bytes] = ()) -> Iterator[tuple[str, bytes]]:
    """Yield every event of a v1 host with its stream, and the planted frames as rejects."""
    assert traffic.total is not None, "endless traffic has no complete truth; end it first"
    for frame in traffic.truth(HostView()):
        yield stream_of(frame), frame
    for frame in planted:
        yield "rejects", frame


def truth_of_demo(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every event of a demo stack's host, as the mark in the archive describes it, with its stream."""
    source = options(arguments(words_of(archive))).source
    assert isinstance(source, Traffic)
    assert source.total is not None, "endless traffic has no complete truth; set DEMO_EVENTS"
    for frame in source.truth(HostView()):
        yield stream_of(frame), frame
