"""A run with a known number of frames of each kind, and the value that each metric must have at its end."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING

from services.archive.paths import stream_root
from services.shared.event import JETSTREAM_STREAMS, Reason, Stream
from testing.harness.host import Host
from testing.harness.truth import truth_of
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from testing.harness.daemons import Daemon
    from testing.harness.pipeline import Pipeline

EVENTS = 4000
REPEATS = 25
BAD = {
    Reason.NOT_JSON: b'{"did":"did:plc:%d","time_us":1,',
    Reason.UNKNOWN_KIND: b'{"did":"did:plc:%d","time_us":1,"kind":"tombstone"}',
    Reason.MISSING_FIELD: b'{"did":"did:plc:%d","kind":"commit"}',
    Reason.WRONG_TYPE: b'{"did":%d,"time_us":1,"kind":"commit"}',
}
"""By reason a frame that is rejected for it; a number makes each frame unique."""
PLANTS = {reason: [BAD[reason] % number for number in range(times)] for times, reason in enumerate(BAD, 1)}
"""One frame of the first reason, two of the second and so on."""


def source() -> Host:
    """Return the fake host."""
    return Host({"rate": "600", "events": str(EVENTS), "backlog": "0"})


def play(running: Pipeline, host: Host) -> None:
    """Send every event once, bad frames in between and some events twice, and wait for the commit."""
    running.wait_pushed(500, 60)
    bad = [frame for frames in PLANTS.values() for frame in frames]
    for frame in (*bad, *(frame for _, frame in _repeated(host))):
        host.send("plant", payload=base64.b64encode(frame).decode())
    # Repeats are counted with the next push: another one must follow.
    assert host.status()["tip"] < EVENTS
    running.wait_pushed(EVENTS, 60)
    running.wait_committed(60)
    rows = EVENTS + sum(map(len, PLANTS.values())) + 1
    wait_for(
        lambda: running.writer.total("archive_commit_rows_total") >= rows, 30, "the last round is counted"
    )


def expected(host: Host, root: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return the metrics that ingester and writer must have, by the truth and the files."""
    events = list(truth_of(host))
    again = _repeated(host)
    bad = [frame for frames in PLANTS.values() for frame in frames]
    once, twice = Counter(stream for stream, _ in events), Counter(stream for stream, _ in again)
    sent = [frame for _, frame in events + again] + bad
    ingester: dict[str, float] = {
        "archive_receive_connected": 1,
        "archive_receive_paused": 0,
        "archive_receive_frames_total": len(sent),
        "archive_receive_bytes_total": sum(map(len, sent)),
        "archive_receive_gap_seconds_total": 0,
        "archive_validate_duplicates_total": REPEATS,
        f'archive_receive_host{{host="{host.address}"}}': 1,
    }
    for reason in Reason:
        name = f'archive_validate_rejects_total{{reason="{reason}"}}'
        ingester[name] = len(PLANTS.get(reason, ()))
    for kind in JETSTREAM_STREAMS:
        ingester[_of("archive_validate_events_total", kind)] = once[kind] + twice[kind]
        ingester[_of("archive_buffer_pushed_total", kind)] = once[kind]
    ingester[_of("archive_buffer_pushed_total", Stream.REJECTS)] = len(bad)

    rows = {**once, Stream.REJECTS: len(bad), Stream.GAPS: 1}
    writer: dict[str, float] = {
        "archive_encode_rejects_total": 0,
        'archive_claim_gaps_total{reason="archive_start"}': 1,
        'archive_claim_gaps_total{reason="checkpoints_lost"}': 0,
    }
    for stream in Stream:
        parts = list(stream_root(root, stream).rglob("*.parquet"))
        writer[_of("archive_commit_rows_total", stream)] = rows.get(stream, 0)
        writer[_of("archive_commit_parts_total", stream)] = len(parts)
        writer[_of("archive_commit_stored_bytes_total", stream)] = sum(part.stat().st_size for part in parts)
        writer[_of("archive_buffer_depth_events", stream)] = 0
        writer[_of("archive_claim_recovered_total", stream)] = 0
        writer[_of("archive_unaccounted_events", stream)] = 0
    for kind in JETSTREAM_STREAMS:
        size = sum(len(frame) for stream, frame in events if stream == kind)
        writer[_of("archive_commit_raw_bytes_total", kind)] = size
    return ingester, writer


def _repeated(host: Host) -> list[tuple[str, bytes]]:
    return list(truth_of(host))[:REPEATS]


def _of(metric: str, stream: Stream) -> str:
    return f'{metric}{{stream="{stream}"}}'


def wrong(daemon: Daemon, expected: dict[str, float]) -> dict[str, tuple[float | None, float]]:
    """Return the metrics of a daemon that differ from the expected ones: actual and expected value."""
    shown = daemon.metrics()
    return {name: (shown.get(name), true) for name, true in expected.items() if shown.get(name) != true}
