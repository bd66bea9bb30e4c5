"""What should be in an archive that read from fake hosts: each event as each of them tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from testing.events import HostView, Rhythm, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testing.harness.host import Host

STREAMS = {
    "app.bsky.feed.post": "posts",
    "app.bsky.feed.like": "likes",
    "app.bsky.feed.repost": "reposts",
    "app.bsky.graph.follow": "follows",
}
KINDS = {"identity": "identities", "account": "accounts"}


def stream_of(event: bytes) -> str:
    """Return the stream that an event belongs in, by the data dictionary."""
    told = json.loads(event)
    return KINDS.get(told["kind"]) or STREAMS.get(told["commit"]["collection"], "records")


def truth_of(*hosts: Host) -> Iterator[tuple[str, bytes]]:
    """Yield every event of hosts that tell of the same traffic, with its stream."""
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
