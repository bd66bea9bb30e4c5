"""A hole of hours beyond every look-back is filled from segments: every event once, and on record."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from services.tools.repair.tests.tearing import (
    let_pass,
    pushes,
    reasons,
    restart,
    settle,
    time_us,
    wait_recorded,
    windows,
)
from services.tools.tests.running import run, started
from testing.events import HostView, Traffic
from testing.fakes.segments import FakeSegments, Fault, as_told, row_of
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
"""More than the traffic lasts beyond the hole."""
ANOTHER_CLOCK_US = 250_000
BLOCKS_OF_THE_REST = 8
"""Of 144: a minute and half a minute on both sides of it, which a border of two pieces may part in two."""


class Torn(NamedTuple):
    """An archive with a hole of two hours, half a day ago, and the archive of segments that has it."""

    running: Pipeline
    segments: FakeSegments
    frames: list[bytes]
    """All events as the host of the segments received them."""
    token: Path

    def repair(self, *, with_token: bool = True) -> tuple[int, str]:
        """Run the command to its end; returns its exit code and what it said."""
        return run(self.running, "repair", "--gaps", **self.settings(with_token=with_token))

    def settings(self, *, with_token: bool = True) -> dict[str, str]:
        """Return what the command is told beside the ingester's settings."""
        self.token.write_text(f"{TOKEN}\n" if with_token else "\n", encoding="utf-8")
        return {
            "ARCHIVE_LOOK_BACK_HOURS": "1",
            "TOOLS_SEGMENTS_URL": self.segments.address,
            "TOOLS_SEGMENTS_TOKEN_FILE": str(self.token),
            "INGEST_PUSH_EVENTS": "200",
        }

    def assert_whole(self) -> None:
        """Let the traffic end, and hold the archive against it: each event once, and the ledger closed."""
        assert set(settle(self.running, TOTAL, REST_SECONDS).values()) == {0.0}
        told = ((stream_of(frame), as_told(frame, seq)) for seq, frame in enumerate(self.frames, 1))
        verdict = audit(self.running.root, [*truth_of(self.running.hosts[0]), *told])
        assert verdict.faults == 0, verdict


def keepable(first_us: int) -> list[bytes]:
    """Return events that a repository can hold: the wire's oddest numbers have no form in DAG-CBOR."""
    found: list[bytes] = []
    for frame in Traffic(1, first_us, float(RATE), None).truth(HostView()):
        try:
            row_of(frame, 1)
        except ValueError:
            continue
        told = json.loads(frame)
        found.append(json.dumps(told | {"time_us": first_us + len(found) * 1_000_000 // RATE}).encode())
        if len(found) == TOTAL:
            break
    return found


def at(frame: bytes, later_us: int) -> bytes:
    """Return the event as a host tells it whose clock goes before the first one's."""
    told = json.loads(frame)
    return json.dumps(told | {"time_us": told["time_us"] + later_us}).encode()


@pytest.fixture
def torn(pipeline: Callable[..., Pipeline], tmp_path: Path) -> Iterator[Torn]:
    """Give a running archive that was blind for two hours."""
    first_us = time.time_ns() // 1000 - LONG_AGO_SECONDS * 1_000_000
    file, frames = tmp_path / "frames.jsonl", keepable(first_us)
    file.write_bytes(b"\n".join(frames))
    source = Host({"rate": str(RATE), "file": str(file), "backlog": "60", "first-us": str(first_us)})
    told = [at(frame, ANOTHER_CLOCK_US) for frame in frames]
    rows = [row_of(frame, seq) for seq, frame in enumerate(told, 1)]
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
        # A clock starts anew with its host.
        let_pass(HOLE_SECONDS + 260, source)
        behind_us = first_us + (HOLE_SECONDS + 200) * 1_000_000
        wait_for(lambda: time_us(running) > behind_us, 60, "a cursor well behind the hole")
        yield Torn(running, segments, told, tmp_path / "token")


def gap_seconds(running: Pipeline) -> float:
    wait_recorded(running)
    _, said = run(running, "gaps", "--json")
    return float(sum(gap["to_us"] - gap["from_us"] for gap in json.loads(said)["gaps"])) / 1e6


def test_hours_beyond_the_look_back_come_from_segments_whatever_was_refused_before(torn: Torn) -> None:
    running, segments = torn.running, torn.segments
    whole = gap_seconds(running)
    assert whole > HOLE_SECONDS - 120
    code, said = torn.repair(with_token=False)
    assert (code, "TOOLS_SEGMENTS_TOKEN_FILE" in said, "cannot be had" in said) == (1, True, True), said
    assert segments.requests == []
    segments.faults = [Fault("status", status=401)]
    code, said = torn.repair()
    assert (code, "refuses the token" in said, "cannot be had" in said) == (1, True, True), said
    wait_recorded(running)
    assert "repaired" not in reasons(running)
    # A block is lost there: 50 s of the hole stay on record, and nothing else.
    segments.faults = [Fault("status", "segment=seg_0000000003.jss&blockIndex=7", status=404)]
    code, said = torn.repair()
    assert (code, "404" in said, "cannot be had" in said) == (1, True, True), said
    assert 0 < gap_seconds(running) < 60
    # What the ingester still reads by itself is left to it.
    wait_for(lambda: not windows(running), 60, "the ingester's own second reading")
    segments.faults = [Fault("flip", "segment=seg_0000000003.jss&blockIndex=7", times=1)]
    fetched = segments.count("getBlock")
    code, said = torn.repair()
    assert (code, "repaired: " in said) == (0, True), said
    assert segments.count("getBlock") - fetched <= BLOCKS_OF_THE_REST, "only what the rest of the hole needs"
    assert gap_seconds(running) == 0
    torn.assert_whole()


def test_a_refill_that_is_killed_is_done_again_without_doubling(torn: Torn) -> None:
    broken = started(torn.running, "repair", "--gaps", **torn.settings())
    wait_for(lambda: pushes(torn.running) > 8, 120, "a part of the hole pushed")
    broken.kill()
    broken.communicate()
    code, said = torn.repair()
    assert (code, "repaired: " in said) == (0, True), said
    torn.assert_whole()
