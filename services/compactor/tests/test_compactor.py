"""The compactor as its users run it: real processes, killed at any point; only duplicates are removed."""

from __future__ import annotations

import json
import math
import signal
from typing import TYPE_CHECKING

import pytest

from services.archive.coverage import read_coverage
from services.archive.manifest import Cause, removal_of, write_manifest
from services.archive.paths import HOUR_US, REPLACED, manifest_path, parse_name
from services.buffer.keys import CURSOR, PUSHED, claim_key
from services.compactor.tests.archives import BORDER_US, put
from services.data_writer.tests.feeding import push, traffic
from services.shared.crash_points import CrashPoint
from services.shared.event import Stream
from testing.harness.waiting import wait_for
from testing.proof.audit import audit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

StreamFrame = tuple[str, bytes]
ONCE = ("--once", "--close-all")


def posts_and_likes(events: int = 1200, hours: float = 3.0) -> list[StreamFrame]:
    """Return posts and likes over some hours, from the border on."""
    every = traffic(events, first_us=BORDER_US, rate=events / (hours * 3600))
    return [event for event in every if event[0] in ("posts", "likes")]


def moved(event: StreamFrame, by_us: int) -> StreamFrame:
    """Return the event as another host sends it: at another time."""
    stream, frame = event
    body = json.loads(frame)
    body["time_us"] += by_us
    return stream, json.dumps(body).encode()


def doubled(root: Path, events: list[StreamFrame]) -> list[StreamFrame]:
    """Commit events, and many again; return all."""
    others = [moved(event, 40 * 60_000_000) for event in events[500:800:7]]
    put(root, events[:650])
    put(root, events[450:], epoch=2, chunk=300)  # an hour's rewind
    put(root, others, epoch=2, host="two")  # a fail-over's overlap, also across the border of an hour
    return events + others


def compact(running: Pipeline, *arguments: str) -> int:
    """Run the command to its end; returns its exit code."""
    running.compactor.starter = ()
    running.compactor.start(*arguments)
    return running.compactor.wait(120)


def names(root: Path) -> list[str]:
    """Return every file below the datasets of the streams."""
    return [path.name for stream in Stream for path in (root / "raw" / stream).rglob("*.parquet")]


def is_merged(root: Path) -> bool:
    """Whether every hour is one compacted file."""
    found = [parse_name(name) for name in names(root)]
    hours = {path.parent for stream in Stream for path in (root / "raw" / stream).rglob("*.parquet")}
    return len(found) == len(hours) and all(name and name.is_compacted for name in found)


def remaining(root: Path) -> list[Path]:
    """Return prepared and staged files; none is left when everything is done."""
    return [
        path
        for folder in (".state/prepared", ".state/staging")
        for path in (root / folder).rglob("*")
        if path.is_file()
    ]


def replaced_files(root: Path) -> list[Path]:
    """Return the replaced files that are not purged yet."""
    return [path for path in (root / REPLACED).rglob("*") if path.is_file()]


def test_duplicates_are_removed_and_nothing_else(running: Pipeline) -> None:
    events = posts_and_likes()
    truth = doubled(running.root, events)
    before = audit(running.root, truth)
    assert (before.streams["likes"].lost, before.streams["likes"].doubled > 0) == (0, True)
    assert compact(running, *ONCE) == 0
    verdict = audit(running.root, truth)
    assert verdict.passed, str(verdict)
    assert is_merged(running.root)
    assert not remaining(running.root)
    once = names(running.root)
    assert compact(running, *ONCE) == 0
    assert names(running.root) == once, "nothing is due any more"


POINTS = (
    CrashPoint.COMPACT_STAGED,
    CrashPoint.COMPACT_PREPARED,
    CrashPoint.COMPACT_MANIFEST,
    CrashPoint.SWAP_BEFORE_EXCHANGE,
    CrashPoint.SWAP_AFTER_EXCHANGE,
    CrashPoint.SWAP_REPLACED,
    CrashPoint.SWAP_DONE,
    CrashPoint.COVERAGE_STAGED,
)


@pytest.mark.parametrize("point", POINTS)
def test_a_compaction_killed_anywhere_is_completed_by_the_next_run(
    running: Pipeline, point: CrashPoint
) -> None:
    truth = doubled(running.root, posts_and_likes())
    rows = sum(stream.archive for stream in audit(running.root, truth).streams.values())
    running.compactor.starter = ("testing.proof.chaos.armed", point.value, "2")
    running.compactor.start(*ONCE)
    assert running.compactor.wait(120) == -signal.SIGKILL
    after_death = audit(running.root, truth)
    assert sum(stream.lost + stream.altered for stream in after_death.streams.values()) == 0
    assert sum(stream.archive for stream in after_death.streams.values()) <= rows
    assert compact(running, *ONCE) == 0
    verdict = audit(running.root, truth)
    assert verdict.passed, str(verdict)
    assert is_merged(running.root)
    assert not remaining(running.root)


@pytest.mark.parametrize(
    "point", [CrashPoint.SWAP_NOTED, CrashPoint.SWAP_DISCARDED, CrashPoint.COMPACT_PURGE]
)
def test_a_removal_a_discard_and_a_purge_that_are_killed_are_completed_by_the_next_run(
    running: Pipeline, point: CrashPoint
) -> None:
    events = posts_and_likes(1000, hours=1)
    put(running.root, events)
    root, hour = running.root, BORDER_US // HOUR_US
    arguments: tuple[str, ...] = ONCE
    match point:
        case CrashPoint.SWAP_NOTED:
            parts = [path.name for path in root.glob("raw/likes/**/*.parquet")]
            write_manifest(root, removal_of(root, Stream.LIKES, hour, parts, Cause.RETENTION))
            events = [event for event in events if event[0] != "likes"]
        case CrashPoint.SWAP_DISCARDED:
            assert compact(running, *ONCE) == 0
            parts = [path.name for path in root.glob("raw/likes/**/*.parquet")]
            write_manifest(
                root, removal_of(root, Stream.LIKES, hour, ["removed", *parts][1:], Cause.RETENTION)
            )
            late = [event for event in traffic(20, first_us=BORDER_US + 1, rate=1) if event[0] == "likes"]
            put(root, late)
            events = events + late
        case _:
            assert compact(running, *ONCE) == 0
            running.compactor.settings["COMPACT_REPLACED_HOURS"] = "0"
            arguments = ()
    running.compactor.starter = ("testing.proof.chaos.armed", point.value, "1")
    running.compactor.start(*arguments)
    assert running.compactor.wait(120) == -signal.SIGKILL
    running.compactor.starter = ()
    if point is CrashPoint.COMPACT_PURGE:
        assert replaced_files(root)
        running.compactor.start()
        wait_for(lambda: not replaced_files(root), 60, "an empty folder of replaced files")
        assert running.compactor.stop() == 0
    else:
        assert compact(running, *ONCE) == 0
    verdict = audit(root, events)
    assert verdict.passed, str(verdict)
    assert not remaining(root)
    assert not manifest_path(root, Stream.LIKES, hour).exists()


def test_nothing_is_swapped_while_redis_has_a_claim_or_cannot_be_asked(running: Pipeline) -> None:
    every = traffic(1000, first_us=BORDER_US, rate=1)
    put(running.root, [event for event in every if event[0] in ("posts", "likes", "follows")])
    with running.tools() as tools:
        tools.rpush(claim_key(Stream.LIKES, 1000), b"{}")
        tools.rpush(claim_key(Stream.POSTS, 1000), b"{}")
    assert compact(running, *ONCE) == 0
    left = {line["stream"]: line["why"] for line in running.compactor.logged("compact.not_swapped")}
    assert set(left) == {"likes", "posts"}
    assert "--once" in left["likes"]
    merged = {path.parts[-6] for path in running.root.glob("raw/*/year=*/**/compacted-*.parquet")}
    assert merged == {"follows", "gaps"}
    running.redis.kill()
    assert compact(running, *ONCE) == 1
    assert "Redis cannot be asked" in running.compactor.logged("stop.broken")[0]["error"]
    assert not {path.name for path in running.root.glob("raw/likes/**/compacted-*.parquet")}


def test_a_damaged_part_is_named_in_the_log_and_all_other_hours_are_merged(running: Pipeline) -> None:
    put(running.root, posts_and_likes(2000, hours=2))
    damaged = next(running.root.glob("raw/likes/**/*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    assert compact(running, *ONCE) == 1
    assert str(damaged) in running.compactor.logged("compact.refused")[0]["error"]
    hours = {path.parent for path in running.root.glob("raw/*/year=*/**/hour=*/*.parquet")} - {damaged.parent}
    assert all(len(list(hour.glob("*"))) == 1 for hour in hours)
    assert damaged.exists()


# With a writer at work.


def feed(running: Pipeline, events: Iterable[StreamFrame], until_us: int) -> None:
    """Push events as the ingester does: with their counts, and the cursor behind them."""
    events = list(events)
    push(running, events)
    with running.tools() as tools:
        for stream, _ in events:
            tools.hincrby(PUSHED, f"{stream}:pushed", 1)
        stored = tools.get(CURSOR)
        assert isinstance(stored, bytes)
        cursor = json.loads(stored)
        tools.set(CURSOR, json.dumps(cursor | {"time_us": until_us, "push": cursor["push"] + 1}))


def wait_accounted(running: Pipeline) -> None:
    """Wait until the ledger of every stream closes."""

    def unaccounted() -> set[float]:
        metrics = running.writer.metrics()
        return {
            metrics.get(f'archive_unaccounted_events{{stream="{stream}"}}', math.nan) for stream in Stream
        }

    wait_for(lambda: unaccounted() == {0.0}, 60, f"nothing unaccounted, not {unaccounted()}")


def test_a_running_writer_swaps_and_its_ledger_closes_also_after_restarts(running: Pipeline) -> None:
    events = posts_and_likes()
    running.writer.start()
    running.writer.wait_healthy()
    feed(running, [*events, *events[300:700]], BORDER_US + 4 * HOUR_US)
    running.wait_committed(60)
    wait_accounted(running)
    running.compactor.start()
    wait_for(lambda: is_merged_but_gaps(running.root), 120, "all hours merged")
    wait_accounted(running)
    verdict = audit(running.root, events)
    assert verdict.passed, str(verdict)
    running.writer.kill()
    running.writer.start()
    wait_accounted(running)
    late = traffic(40, first_us=BORDER_US + 5_000_001, rate=1)
    feed(running, late + events[:300], BORDER_US + 4 * HOUR_US)
    running.wait_committed(60)
    wait_for(lambda: is_merged_but_gaps(running.root), 120, "the hour merged again")
    wait_accounted(running)
    running.writer.kill()
    running.writer.start()
    wait_accounted(running)
    verdict = audit(running.root, events + late)
    assert verdict.passed, str(verdict)
    wait_for(lambda: _covered(running.root) == len(events + late), 30, "coverage to know all rows")
    assert running.compactor.stop() == 0


def is_merged_but_gaps(root: Path) -> bool:
    """As above, without `gaps`, whose hour is the present one, and never closes here."""
    paths = [
        path
        for stream in Stream
        if stream is not Stream.GAPS
        for path in (root / "raw" / stream).rglob("*.parquet")
    ]
    return len(paths) == len({path.parent for path in paths}) and all(
        path.name.startswith("compacted-") for path in paths
    )


def _covered(root: Path) -> int:
    return sum(row.rows for row in read_coverage(root) if row.stream is not Stream.GAPS)
