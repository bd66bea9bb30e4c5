"""Events that the archive has are known, in Redis, in files here, or in files that are only in the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds

from services.archive.gaps import Interval
from services.archive.paths import HOUR_US
from services.archive.schema import SCHEMAS
from services.jetstream.validate import reject_identity, validate
from services.shared.event import JETSTREAM_STREAMS, Reason, Reject, Stream
from services.tools.offload.remote import HOURS
from services.tools.repair.known import known_events, known_identities
from services.tools.tests.making import START_US, archive, events, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.buffer.operator_push import OperatorPusher

INSIDE = Interval(START_US + 600_000_000, START_US + HOUR_US + 600_000_000)


class Lists:
    """A pusher's lists in Redis."""

    def __init__(self, waiting: dict[Stream, list[bytes]]) -> None:
        self._waiting = waiting

    def waiting(self, stream: Stream) -> Iterator[list[bytes]]:
        """Yield the waiting events."""
        yield self._waiting.get(stream, [])


def pusher(waiting: dict[Stream, list[bytes]] | None = None) -> OperatorPusher:
    return Lists(waiting or {})  # type: ignore[return-value]


def inside(truth: dict[Stream, list[bytes]]) -> set[bytes]:
    reported = [validate(frame, 1 << 30) for stream in JETSTREAM_STREAMS for frame in truth.get(stream, [])]
    return {event.identity for event in reported if INSIDE.from_us <= event.time_us < INSIDE.to_us}


def test_events_of_the_interval_are_known_from_redis_and_from_parts(tmp_path: Path) -> None:
    truth = events(7200)
    root = archive(tmp_path / "archive", truth)
    assert known_events(pusher(), root, INSIDE) == inside(truth) != set()
    empty = archive(tmp_path / "empty", {})
    assert known_events(pusher(truth), empty, INSIDE) == inside(truth)
    assert known_events(pusher({Stream.LIKES: [b"no event"]}), empty, INSIDE) == set()


def test_events_that_are_only_in_the_bucket_are_known(tmp_path: Path) -> None:
    truth = events(7200)
    root = archive(tmp_path / "archive", truth)
    remote = {
        stream: ds.dataset(
            str(root / "raw" / stream),
            schema=pa.unify_schemas([SCHEMAS[stream], HOURS]),
            partitioning=ds.partitioning(HOURS, flavor="hive"),
        )
        for stream in truth
    }
    empty = archive(tmp_path / "empty", {})
    assert known_identities(pusher(), empty, INSIDE, START_US, remote) == inside(truth)


def test_rejects_are_known_by_their_bytes_whenever_they_were_received(tmp_path: Path) -> None:
    root = archive(tmp_path / "archive", {})
    later_us = INSIDE.to_us + 5 * HOUR_US
    write(root, Stream.REJECTS, [Reject(Reason.NOT_JSON, b"one", "h", later_us).encode()])
    waiting = {Stream.REJECTS: [Reject(Reason.NOT_JSON, b"two", "h", later_us).encode()]}
    known = known_identities(pusher(waiting), root, INSIDE, later_us)
    assert known == {reject_identity(b"one"), reject_identity(b"two")}
