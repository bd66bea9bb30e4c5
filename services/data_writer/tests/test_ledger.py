"""The ledger against a real Redis: 0 when all is well, and by how much it is not when it is not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from services.buffer.keys import PUSHED, buffer_key
from services.data_writer.tests.feeding import push, traffic
from services.shared.event import Stream
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from testing.harness.pipeline import Pipeline

LIKES = 'archive_unaccounted_events{stream="likes"}'
EVENTS = 2000
LIKE = next(frame for stream, frame in traffic(50) if stream == "likes")


@pytest.fixture
def balanced(writer: Pipeline) -> Pipeline:
    """Return a writer that runs: everything it was pushed is committed, and the ledger says so."""
    writer.writer.start()
    writer.writer.wait_healthy()
    events = traffic(EVENTS)
    push(writer, events)
    count(writer, "likes", sum(stream == "likes" for stream, _ in events))
    writer.wait_committed(30)
    wait_for_unaccounted(writer, 0)
    return writer


def count(running: Pipeline, stream: str, events: int) -> None:
    """Enter a push in the durable counts, as the ingester's transaction does."""
    with running.tools() as tools:
        tools.hincrby(PUSHED, f"{stream}:pushed", events)


def wait_for_unaccounted(running: Pipeline, events: int) -> None:
    wait_for(
        lambda: running.writer.metrics().get(LIKES, math.nan) == events,
        30,
        f"{events} likes unaccounted, not {running.writer.metrics().get(LIKES)}",
    )


def test_an_element_that_nobody_pushed_is_one_too_many(balanced: Pipeline) -> None:
    push(balanced, [("likes", LIKE)])
    wait_for_unaccounted(balanced, 1)


def test_an_element_taken_away_is_one_too_few(balanced: Pipeline) -> None:
    with balanced.tools() as tools, tools.pipeline(transaction=True) as both:
        both.rpush(buffer_key(Stream.LIKES), LIKE, LIKE)
        both.hincrby(PUSHED, "likes:pushed", 2)
        both.rpop(buffer_key(Stream.LIKES))
        both.execute()
    wait_for_unaccounted(balanced, -1)


def test_what_is_unaccounted_survives_every_restart(balanced: Pipeline) -> None:
    push(balanced, [("likes", LIKE)])
    wait_for_unaccounted(balanced, 1)
    balanced.writer.kill()
    balanced.redis.kill()
    balanced.redis.start()
    balanced.writer.start()
    wait_for_unaccounted(balanced, 1)


def test_a_part_that_is_gone_shows_after_a_restart(balanced: Pipeline) -> None:
    paths = sorted(balanced.root.glob("raw/likes/year=*/**/*.parquet"))
    rows = int(paths[0].name.split("-")[2])
    balanced.writer.kill()
    paths[0].unlink()
    balanced.writer.start()
    wait_for_unaccounted(balanced, -rows)


def test_a_damaged_part_counts_as_lost_and_stops_nothing(balanced: Pipeline) -> None:
    paths = sorted(balanced.root.glob("raw/likes/year=*/**/*.parquet"))
    rows = int(paths[0].name.split("-")[2])
    balanced.writer.kill()
    paths[0].write_bytes(b"PAR1 and no more")
    balanced.writer.start()
    wait_for_unaccounted(balanced, -rows)
    assert str(paths[0]) in balanced.writer.logged("commit.unreadable")[0]["error"]


def test_what_cannot_be_encoded_is_accounted_for(balanced: Pipeline) -> None:
    push(balanced, [("likes", b'{"no": "event"')])
    count(balanced, "likes", 1)
    wait_for(lambda: balanced.writer.total("archive_encode_rejects_total") == 1, 30, "a reject")
    wait_for_unaccounted(balanced, 0)
    balanced.writer.kill()
    balanced.writer.start()
    wait_for_unaccounted(balanced, 0)


def test_a_new_epoch_counts_from_what_redis_holds(balanced: Pipeline) -> None:
    balanced.redis.kill()
    balanced.redis.lose_volume()
    balanced.redis.start()
    wait_for(lambda: balanced.writer.metrics().get("archive_claim_epoch") == 2, 30, "a new epoch")
    push(balanced, [("likes", LIKE)] * 3)
    count(balanced, "likes", 3)
    balanced.wait_committed(30)
    wait_for_unaccounted(balanced, 0)
