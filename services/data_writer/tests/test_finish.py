"""Several chunks lie under one ack: none of them is lost or doubled, wherever the writer dies."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import redis
from prometheus_client import CollectorRegistry

from services.buffer.claims import Claim, Claims
from services.buffer.keys import buffer_key, claim_key
from services.data_writer.committer import Committer
from services.data_writer.finish import CHUNKS_AN_ACK, Finisher
from services.data_writer.health import WriterHealth
from services.data_writer.ledger import Ledger
from services.data_writer.metrics import WriterMetrics
from services.data_writer.settings import WriterSettings
from services.data_writer.tests.feeding import push, traffic
from services.shared.crash_points import CrashPoint
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from testing.proof.audit import audit

if TYPE_CHECKING:
    from contextlib import _GeneratorContextManager
    from pathlib import Path

    from services.buffer.reading import Reading
    from testing.harness.pipeline import Pipeline
    from testing.harness.redis import RedisServer

CHUNK = 100
LIKES = [(stream, frame) for stream, frame in traffic(1500) if stream == "likes"]


def killed(running: Pipeline, point: CrashPoint, nth: int) -> int:
    """Let the writer die while it empties a claim of likes; returns how many elements are left in it."""
    push(running, LIKES)
    key = claim_key(Stream.LIKES, CHUNK)
    with running.tools() as tools:
        tools.rename(buffer_key(Stream.LIKES), key)
        running.writer.starter = ("testing.proof.chaos.armed", point, str(nth))
        running.writer.start("--once")
        assert running.writer.wait(60) == -signal.SIGKILL
        running.writer.starter = ()
        return int(tools.llen(key))


def parts(root: Path) -> list[Path]:
    """Return the parts of likes, oldest first."""
    return sorted((root / "likes").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("point", "nth", "acked"),
    [
        (CrashPoint.CLAIM_READ, 3, 0),
        (CrashPoint.COMMIT_AFTER_RENAME, 2, 0),
        (CrashPoint.COMMIT_DURABLE, 3, 0),
        (CrashPoint.ACK_BEFORE_TRIM, 1, 0),
        (CrashPoint.ACK_AFTER_TRIM, 1, CHUNKS_AN_ACK),
        (CrashPoint.COMMIT_DURABLE, CHUNKS_AN_ACK + 2, CHUNKS_AN_ACK),
    ],
)
def test_a_kill_between_the_first_chunk_and_the_ack(
    writer: Pipeline, point: CrashPoint, nth: int, acked: int
) -> None:
    assert killed(writer, point, nth) == len(LIKES) - acked * CHUNK
    writer.write_once()
    assert audit(writer.root, LIKES).passed


def test_what_an_earlier_attempt_put_elsewhere_goes_for_every_chunk_of_an_ack(writer: Pipeline) -> None:
    """As a version would have that took another hour for the right one."""
    killed(writer, CrashPoint.ACK_BEFORE_TRIM, 1)
    found = parts(writer.root)
    assert len(found) == CHUNKS_AN_ACK
    for part in found:
        elsewhere = part.parent.parent / "hour=23"
        elsewhere.mkdir(exist_ok=True)
        part.rename(elsewhere / part.name)
    writer.write_once()
    assert not any(part.parent.name == "hour=23" for part in parts(writer.root))
    assert audit(writer.root, LIKES).passed


def test_a_claim_whose_first_chunk_alone_was_acked_is_gone_on_from(writer: Pipeline) -> None:
    """As a writer leaves it that acks chunk by chunk."""
    assert killed(writer, CrashPoint.ACK_BEFORE_TRIM, 1) == len(LIKES)
    with writer.tools() as tools:
        tools.ltrim(claim_key(Stream.LIKES, CHUNK), CHUNK, -1)
    writer.write_once()
    assert audit(writer.root, LIKES).passed


def test_a_stop_while_the_first_chunk_is_read_does_not_take_the_claim_for_empty(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    stopping = Stopping()

    class Stopped(Claims):
        def reading(self, claim: Claim, chunks: int) -> _GeneratorContextManager[Reading]:
            stopping.set()
            return super().reading(claim, chunks)

    claims, claim = Stopped(redis_server.url("writer"), stopping), Claim(Stream.LIKES, CHUNK)
    settings, registry = WriterSettings(archive_root=tmp_path), CollectorRegistry()
    metrics = WriterMetrics(registry, settings.streams)
    ledger = Ledger(tmp_path, settings.streams, stopping)
    ledger.open(1)
    claims.open()
    with redis.Redis.from_url(redis_server.url("tools")) as tools:
        tools.rpush(claim.key, *(frame for _, frame in LIKES))
        finisher = Finisher(claims, Committer(settings, ledger, metrics), metrics, WriterHealth(), stopping)
        assert not finisher.finish(claim, claims.position(), "", attempted=False)
        claims.close()
        assert tools.llen(claim.key) == len(LIKES) - CHUNK
    assert audit(tmp_path, LIKES[:CHUNK]).passed
