"""A gap of hours before every look-back is repaired from segments: every event once, and recorded."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from services.tools.repair.tests.tearing import (
    close_hours,
    let_pass,
    pushes,
    reasons,
    restart,
    time_us,
    wait_recorded,
    windows,
)
from services.tools.tests.running import run, started
from testing.events import HostView, Traffic
from testing.fakes.segments import FakeSegments, Fault, as_sent, row_of
from testing.fakes.segments.server import TOKEN
from testing.harness.host import Host
from testing.harness.truth import stream_of, truth_of
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

RATE, TOTAL, HOLE_SECONDS = 2, 15_600, 7200
LONG_AGO_SECONDS = 12 * 3600
REST_SECONDS = 600
"""Longer than the traffic after the gap."""
ANOTHER_CLOCK_US = 250_000
BLOCKS_OF_THE_REST = 8
"""Of 144 blocks: a minute with half a minute on both sides, which a border of two pieces may divide."""


class Torn(NamedTuple):
    """An archive with a gap of two hours, half a day ago, and the archive of segments with its events."""

    running: Pipeline
    segments: FakeSegments
    frames: list[bytes]
    """All events as the host of the segments received them."""
    token: Path

    def repair(self, *, with_token: bool = True) -> tuple[int, str]:
        """Run the command; return its exit code and its output."""
        return run(self.running, "repair", "--gaps", **self.settings(with_token=with_token))

    def settings(self, *, with_token: bool = True) -> dict[str, str]:
        """Return the command's settings besides the ingester's."""
        self.token.write_text(f"{TOKEN}\n" if with_token else "\n", encoding="utf-8")
        return {
            "ARCHIVE_LOOK_BACK_HOURS": "1",
            "TOOLS_SEGMENTS_URL": self.segments.address,
            "TOOLS_SEGMENTS_TOKEN_FILE": str(self.token),
            "INGEST_PUSH_EVENTS": "200",
        }

    def assert_whole(self) -> None:
        """Let the traffic end, and assert that each event is stored once and the ledger is at 0."""
        assert set(close_hours(self.running, TOTAL, REST_SECONDS).values()) == {0.0}
        reported = ((stream_of(frame), as_sent(frame, seq)) for seq, frame in enumerate(self.frames, 1))
        verdict = audit(self.running.root, [*truth_of(self.running.hosts[0]), *reported])
        assert verdict.errors == 0, verdict


def keepable(first_us: int) -> list[bytes]:
    """Return events that a repository can store: some numbers of the wire cannot be encoded in DAG-CBOR."""
    found: list[bytes] = []
    for frame in Traffic(1, first_us, float(RATE), None).truth(HostView()):
        try:
            row_of(frame, 1)
        except ValueError:
            continue
        reported = json.loads(frame)
        found.append(json.dumps(reported | {"time_us": first_us + len(found) * 1_000_000 // RATE}).encode())
        if len(found) == TOTAL:
            break
    return found


def at(frame: bytes, later_us: int) -> bytes:
    """Return the event as a host with a faster clock sends it."""
    reported = json.loads(frame)
    return json.dumps(reported | {"time_us": reported["time_us"] + later_us}).encode()


@pytest.fixture
def torn(pipeline: Callable[..., Pipeline], tmp_path: Path) -> Iterator[Torn]:
    """Give a running archive that received nothing for two hours."""
    first_us = time.time_ns() // 1000 - LONG_AGO_SECONDS * 1_000_000
    file, frames = tmp_path / "frames.jsonl", keepable(first_us)
    file.write_bytes(b"\n".join(frames))
    source = Host({"rate": str(RATE), "file": str(file), "backlog": "60", "first-us": str(first_us)})
    reported = [at(frame, ANOTHER_CLOCK_US) for frame in frames]
    rows = [row_of(frame, seq) for seq, frame in enumerate(reported, 1)]
    source.start()
    running = pipeline(source)
    with FakeSegments(rows, segment_events=2000, block_events=100) as segments, running:
        running.wait_pushed(RATE * 50, 60)
        running.ingester.kill()
        restart(source, "60")
        let_pass(HOLE_SECONDS + 60, source)
        running.ingester.start()
        wait_for(lambda: running.pushed().get("gaps:pushed", 0) > 1, 60, "a hole on record")
        restart(source, "36000")
        # A host's clock starts anew with the host.
        let_pass(HOLE_SECONDS + 260, source)
        behind_us = first_us + (HOLE_SECONDS + 200) * 1_000_000
        wait_for(lambda: time_us(running) > behind_us, 60, "a cursor well behind the hole")
        yield Torn(running, segments, reported, tmp_path / "token")


def gap_seconds(running: Pipeline) -> float:
    wait_recorded(running)
    _, output = run(running, "gaps", "--json")
    return float(sum(gap["to_us"] - gap["from_us"] for gap in json.loads(output)["gaps"])) / 1e6


def test_hours_before_the_look_back_are_read_from_segments_after_earlier_refusals(torn: Torn) -> None:
    running, segments = torn.running, torn.segments
    whole = gap_seconds(running)
    assert whole > HOLE_SECONDS - 120
    code, output = torn.repair(with_token=False)
    assert (code, "TOOLS_SEGMENTS_TOKEN_FILE" in output, "unavailable" in output) == (1, True, True), output
    assert segments.requests == []
    segments.faults = [Fault("status", status=401)]
    code, output = torn.repair()
    assert (code, "refuses the token" in output, "unavailable" in output) == (1, True, True), output
    wait_recorded(running)
    assert "repaired" not in reasons(running)
    # The host has lost a block: 50 s of the gap stay recorded, and nothing else.
    segments.faults = [Fault("status", "segment=seg_0000000003.jss&blockIndex=7", status=404)]
    code, output = torn.repair()
    assert (code, "404" in output, "unavailable" in output) == (1, True, True), output
    assert 0 < gap_seconds(running) < 60
    # Windows that the ingester still reads by itself are left to it.
    wait_for(lambda: not windows(running), 60, "the ingester's own second reading")
    segments.faults = [Fault("flip", "segment=seg_0000000003.jss&blockIndex=7", times=1)]
    fetched = segments.count("getBlock")
    code, output = torn.repair()
    assert (code, "repaired: " in output) == (0, True), output
    assert segments.count("getBlock") - fetched <= BLOCKS_OF_THE_REST, "only what the rest of the hole needs"
    assert gap_seconds(running) == 0
    torn.assert_whole()


def test_a_killed_refill_is_repeated_without_duplicates(torn: Torn) -> None:
    broken = started(torn.running, "repair", "--gaps", **torn.settings())
    wait_for(lambda: pushes(torn.running) > 8, 120, "a part of the hole pushed")
    broken.kill()
    broken.communicate()
    code, output = torn.repair()
    assert (code, "repaired: " in output) == (0, True), output
    torn.assert_whole()
