"""The ledger: 0 when everything pushed is in Redis or the archive, else the number missing or doubled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from services.archive.manifest import Cause, Input, SwapManifest, removal_of, write_manifest
from services.archive.notes import note_removal
from services.archive.paths import REMOVED, hour_directory, hour_of, stream_root
from services.buffer.keys import PUSHED, buffer_key
from services.data_writer import ledger as ledger_module
from services.data_writer.health import WriterHealth
from services.data_writer.ledger import Ledger
from services.data_writer.tests.feeding import push, traffic
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from testing.harness.pipeline import Pipeline

LIKES = 'archive_unaccounted_events{stream="likes"}'
EVENTS = 2000
LIKE = next(frame for stream, frame in traffic(50) if stream == "likes")


@pytest.fixture
def balanced(writer: Pipeline) -> Pipeline:
    """Return a running writer that has committed every event pushed, with 0 unaccounted."""
    writer.writer.start()
    writer.writer.wait_healthy()
    events = traffic(EVENTS)
    push(writer, events)
    count(writer, "likes", sum(stream == "likes" for stream, _ in events))
    writer.wait_committed(30)
    wait_for_unaccounted(writer, 0)
    return writer


def count(running: Pipeline, stream: str, events: int) -> None:
    """Add a push to the counts in Redis, as the ingester's transaction does."""
    with running.tools() as tools:
        tools.hincrby(PUSHED, f"{stream}:pushed", events)


def wait_for_unaccounted(running: Pipeline, events: int) -> None:
    wait_for(
        lambda: running.writer.metrics().get(LIKES, math.nan) == events,
        30,
        f"{events} likes unaccounted, not {running.writer.metrics().get(LIKES)}",
    )


def test_an_event_that_was_not_pushed_is_one_too_many(balanced: Pipeline) -> None:
    push(balanced, [("likes", LIKE)])
    wait_for_unaccounted(balanced, 1)


def test_a_missing_event_is_one_too_few(balanced: Pipeline) -> None:
    with balanced.tools() as tools, tools.pipeline(transaction=True) as both:
        both.rpush(buffer_key(Stream.LIKES), LIKE, LIKE)
        both.hincrby(PUSHED, "likes:pushed", 2)
        both.rpop(buffer_key(Stream.LIKES))
        both.execute()
    wait_for_unaccounted(balanced, -1)


def test_unaccounted_events_are_reported_after_a_restart(balanced: Pipeline) -> None:
    push(balanced, [("likes", LIKE)])
    wait_for_unaccounted(balanced, 1)
    balanced.writer.kill()
    balanced.redis.kill()
    balanced.redis.start()
    balanced.writer.start()
    wait_for_unaccounted(balanced, 1)


def test_a_deleted_part_counts_as_missing_after_a_restart(balanced: Pipeline) -> None:
    paths = sorted(balanced.root.glob("raw/likes/year=*/**/*.parquet"))
    rows = int(paths[0].name.split("-")[2])
    balanced.writer.kill()
    paths[0].unlink()
    balanced.writer.start()
    wait_for_unaccounted(balanced, -rows)


def test_a_damaged_part_counts_as_missing_and_the_writer_goes_on(balanced: Pipeline) -> None:
    paths = sorted(balanced.root.glob("raw/likes/year=*/**/*.parquet"))
    rows = int(paths[0].name.split("-")[2])
    balanced.writer.kill()
    paths[0].write_bytes(b"PAR1 and no more")
    balanced.writer.start()
    wait_for_unaccounted(balanced, -rows)
    assert str(paths[0]) in balanced.writer.logged("commit.unreadable")[0]["error"]


def test_an_event_that_cannot_be_encoded_is_accounted_for(balanced: Pipeline) -> None:
    push(balanced, [("likes", b'{"no": "event"')])
    count(balanced, "likes", 1)
    wait_for(lambda: balanced.writer.total("archive_encode_rejects_total") == 1, 30, "a reject")
    wait_for_unaccounted(balanced, 0)
    balanced.writer.kill()
    balanced.writer.start()
    wait_for_unaccounted(balanced, 0)


def test_a_new_epoch_counts_from_the_events_in_redis(balanced: Pipeline) -> None:
    balanced.redis.kill()
    balanced.redis.lose_volume()
    balanced.redis.start()
    wait_for(lambda: balanced.writer.metrics().get("archive_claim_epoch") == 2, 30, "a new epoch")
    push(balanced, [("likes", LIKE)] * 3)
    count(balanced, "likes", 3)
    balanced.wait_committed(30)
    wait_for_unaccounted(balanced, 0)


def counted(ledger: Ledger) -> None:
    wait_for(lambda: ledger.is_counted, 30, "the footers and notes counted")


def note_of_a_removal(root: Path, stream: Stream, hour: int, epoch: int, rows: int) -> Path:
    """Write the note of an hour that retention removed."""
    removed = (Input("a.parquet", 1, {str(epoch): {stream.value: rows}}),)
    return note_removal(
        root,
        SwapManifest(
            id="m", stream=stream, hour=hour, cause=Cause.RETENTION, inputs=removed, outputs=(), removed={}
        ),
    )


def test_stray_and_damaged_notes_cost_only_their_own_hours(tmp_path: Path) -> None:
    whole = note_of_a_removal(tmp_path, Stream.LIKES, 500_000, 1, 7)
    damaged = note_of_a_removal(tmp_path, Stream.LIKES, 500_001, 1, 5)
    damaged.write_bytes(damaged.read_bytes()[:20])
    stray = whole.with_name("notes of mine.json")
    stray.write_text("[]", encoding="utf-8")
    folder = whole.with_name("2027-01-15T10.json.d")
    folder.mkdir()
    (folder / whole.name).write_bytes(whole.read_bytes())
    elsewhere = stream_root(tmp_path, Stream.LIKES) / "metadata.json"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("{}", encoding="utf-8")
    ledger = Ledger(tmp_path, [Stream.LIKES], Stopping())
    ledger.open(1)
    counted(ledger)
    assert ledger.unaccounted(Stream.LIKES, pushed=7, held=0) == 0
    assert ledger.unreadable == {damaged, stray}
    assert ledger.error is None


def test_a_note_of_a_removal_counts_only_the_files_that_are_gone(tmp_path: Path) -> None:
    """A kill may fall between the note and the removal: the files still count for themselves."""
    note_of_a_removal(tmp_path, Stream.LIKES, 500_000, 1, 7)
    part = hour_directory(tmp_path, Stream.LIKES, 500_000) / "a.parquet"
    part.parent.mkdir(parents=True)
    part.touch()
    ledger = Ledger(tmp_path, [Stream.LIKES], Stopping())
    ledger.open(1)
    counted(ledger)
    assert ledger.unaccounted(Stream.LIKES, pushed=0, held=0) == 0


def test_an_unexpected_error_while_counting_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Path) -> None:
        raise RuntimeError("a defect")

    note_of_a_removal(tmp_path, Stream.LIKES, 500_000, 1, 7)
    monkeypatch.setattr(ledger_module, "read_removals", fails)
    ledger = Ledger(tmp_path, [Stream.LIKES], Stopping())
    ledger.open(1)
    wait_for(lambda: ledger.error, 30, "the error reported")
    assert "a defect" in str(ledger.error)
    assert not ledger.is_counted


def test_a_stray_note_and_a_damaged_manifest_do_not_stop_the_swaps_of_other_hours(
    balanced: Pipeline,
) -> None:
    balanced.writer.kill()
    stray = balanced.root / REMOVED / "likes" / "notes.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("[]", encoding="utf-8")
    part = next((stream_root(balanced.root, Stream.LIKES)).rglob("*.parquet"))
    hour = hour_of(part.parent)
    assert hour is not None
    names = [path.name for path in part.parent.iterdir()]
    write_manifest(
        balanced.root, removal_of(balanced.root, Stream.LIKES, hour, names, Cause.RETENTION)
    ).with_name("2000-01-01T00.json").write_text("{", encoding="utf-8")
    balanced.writer.start()
    wait_for(lambda: not part.exists(), 30, "the hour removed")
    wait_for_unaccounted(balanced, 0)
    (line,) = balanced.writer.logged("commit.unreadable")
    assert str(stray) in line["error"]
    assert "2000-01-01T00.json" in balanced.writer.logged("swap.failed")[0]["error"]
    wait_for(
        lambda: balanced.writer.metrics()["archive_commit_unreadable_files"] == 1, 30, "the stray counted"
    )
    assert balanced.writer.health()[0] == 200


def test_an_error_of_the_ledger_makes_the_writer_unhealthy() -> None:
    health = WriterHealth(ledger_error="the ledger cannot count")
    health.progress("running")
    assert health() == (
        False,
        {"state": "running", "seconds_since_progress": 0.0, "reasons": ["the ledger cannot count"]},
    )
