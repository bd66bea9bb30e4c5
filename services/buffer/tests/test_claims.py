"""A claim can be read again unchanged, and an ack removes events only if the claim did not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.buffer.claims import SCAN_COUNT, Claim, Claims, StoredPosition
from services.shared.cursor import Cursor
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from testing.harness.proxy import Proxy

if TYPE_CHECKING:
    from redis import Redis

    from testing.harness.redis import RedisServer

POSTS = "archive:buffer:posts"
CURSOR = Cursor(time_us=10**15, epoch=1, push=4)


def read(claims: Claims, claim: Claim) -> list[bytes]:
    """Read the first chunk of a claim."""
    with claims.read(claim, 1) as reader:
        return [element for some in reader.next_chunk() for element in some]


def fill(tools: Redis, events: int, size: int = 8, first: int = 0) -> list[bytes]:
    """Push events to the buffer of posts."""
    elements = [str(first + i).encode().ljust(size, b".") for i in range(events)]
    tools.rpush(POSTS, *elements)
    return elements


def test_a_claim_takes_the_whole_buffer_and_new_events_start_another(claims: Claims, tools: Redis) -> None:
    old = fill(tools, 5)
    claim = claims.take(Stream.POSTS, 100)
    assert claim == Claim(Stream.POSTS, 100)
    fill(tools, 2, first=5)
    assert read(claims, claim) == old
    assert claims.depths([Stream.POSTS, Stream.LIKES]) == {Stream.POSTS: 2, Stream.LIKES: 0}
    assert claims.length(claim) == 5


def test_an_empty_buffer_gives_no_claim(claims: Claims) -> None:
    assert claims.take(Stream.POSTS, 100) is None


def test_an_existing_claim_is_never_overwritten(claims: Claims, tools: Redis) -> None:
    old = fill(tools, 3)
    claim = claims.take(Stream.POSTS, 100)
    assert claim is not None
    new = fill(tools, 4, first=3)
    with pytest.raises(Transient, match="exists already"):
        claims.take(Stream.POSTS, 100)
    assert read(claims, claim) == old
    assert tools.lrange(POSTS, 0, -1) == new


def test_claims_of_any_chunk_size_are_found(claims: Claims, tools: Redis) -> None:
    for chunk in (700, 50, 300):
        fill(tools, 1)
        claims.take(Stream.POSTS, chunk)
    tools.rpush("archive:claim:likes:9", "x")
    tools.mset({f"archive:other:{i}": i for i in range(SCAN_COUNT * 3)})
    assert claims.find(Stream.POSTS) == [Claim(Stream.POSTS, chunk) for chunk in (50, 300, 700)]
    assert claims.find(Stream.LIKES) == [Claim(Stream.LIKES, 9)]
    assert claims.find(Stream.FOLLOWS) == []


@pytest.mark.parametrize("size", ["0", "", "many", "-1", "1.5"])
def test_a_key_that_is_not_a_claim_stops_the_writer(size: str, claims: Claims, tools: Redis) -> None:
    tools.rpush(f"archive:claim:posts:{size}", "x")
    with pytest.raises(BrokenInvariant, match="is not a claim; rename or delete it"):
        claims.find(Stream.POSTS)


def test_a_fully_acked_claim_does_not_abort_the_ack_of_the_next(claims: Claims, tools: Redis) -> None:
    for first in (0, 5):
        elements = fill(tools, 5, first=first)
        claim = claims.take(Stream.POSTS, 100)
        assert claim is not None
        assert read(claims, claim) == elements
        claims.ack(claim, 5)
        assert read(claims, claim) == []
    assert claims.find(Stream.POSTS) == []


@pytest.mark.parametrize("touch", ["rpush", "ltrim", "same"])
def test_an_ack_of_a_changed_claim_removes_nothing(touch: str, claims: Claims, tools: Redis) -> None:
    elements = fill(tools, 5)
    claim = claims.take(Stream.POSTS, 2)
    assert claim is not None
    assert len(read(claims, claim)) == 2
    if touch == "rpush":
        tools.rpush(claim.key, "more")
    elif touch == "ltrim":
        tools.ltrim(claim.key, 2, -1)
    else:
        tools.lset(claim.key, 0, elements[0].decode())
    before = tools.lrange(claim.key, 0, -1)
    with pytest.raises(Transient, match="changed while it was committed"):
        claims.ack(claim, 2)
    assert tools.lrange(claim.key, 0, -1) == before


def test_a_claim_that_another_writer_acked_is_not_acked_again(claims: Claims, tools: Redis) -> None:
    fill(tools, 2)
    claim = claims.take(Stream.POSTS, 2)
    assert claim is not None
    read(claims, claim)
    tools.delete(claim.key)
    with pytest.raises(Transient):
        claims.ack(claim, 2)
    assert read(claims, claim) == []


def test_after_a_lost_reply_an_ack_is_not_repeated(redis_server: RedisServer, tools: Redis) -> None:
    elements = fill(tools, 6)
    with Proxy(redis_server.port) as proxy:
        one = Claims(proxy.redirect(redis_server.url("writer")), Stopping())
        one.open()
        claim = one.take(Stream.POSTS, 2)
        assert claim is not None
        read(one, claim)
        proxy.lose_reply(b"EXEC")
        with pytest.raises(Transient):
            one.ack(claim, 2)
        one.open()
        assert one.find(Stream.POSTS) == [claim]
        assert read(one, claim) == elements[2:4]
        one.close()
    assert tools.llen(claim.key) == 4


def test_claim_read_and_ack_work_in_a_full_redis(claims: Claims, tools: Redis) -> None:
    fill(tools, 3000, 500)
    tools.config_set("maxmemory", tools.info("memory")["used_memory"] // 2)
    claim = claims.take(Stream.POSTS, 1000)
    assert claim is not None
    while part := read(claims, claim):
        claims.ack(claim, len(part))
    assert claims.find(Stream.POSTS) == []


def test_a_sample_does_not_remove_events(claims: Claims, tools: Redis) -> None:
    elements = fill(tools, 5)
    assert claims.sample(Stream.POSTS, 3) == elements[:3]
    assert claims.sample(Stream.POSTS, 9) == elements
    assert claims.sample(Stream.LIKES, 9) == []
    assert tools.llen(POSTS) == 5


def test_the_position_distinguishes_an_empty_redis_from_one_in_use(claims: Claims, tools: Redis) -> None:
    assert claims.position() == StoredPosition(None, None, 0, None, is_confirmed=False)
    assert claims.begin_epoch(None, CURSOR, "id-1", [])
    assert claims.position() == StoredPosition(CURSOR, CURSOR.encode(), 1, "id-1", is_confirmed=True)
    claims.register("id-2")
    assert claims.position().archive_id == "id-1", (
        "an archive is registered where there is none, never replaced"
    )
    tools.delete("archive:id")
    claims.register("id-2")
    assert claims.position().archive_id == "id-2"


def test_after_a_restart_a_writer_must_confirm_the_cursor_again(
    claims: Claims, redis_server: RedisServer
) -> None:
    assert claims.begin_epoch(None, CURSOR, "id-1", [])
    redis_server.kill()
    redis_server.start()
    claims.open()
    position = claims.position()
    assert (position.cursor, position.epoch, position.is_confirmed) == (CURSOR, 1, False)
    claims.confirm(1)
    assert claims.position() == StoredPosition(CURSOR, CURSOR.encode(), 1, "id-1", is_confirmed=True)


def test_a_new_epoch_counts_what_redis_holds_and_pushes_its_gaps(claims: Claims, tools: Redis) -> None:
    fill(tools, 5)
    claims.take(Stream.POSTS, 100)
    fill(tools, 2)
    claims.take(Stream.POSTS, 30)
    fill(tools, 3)
    tools.rpush("archive:buffer:gaps", "old")
    tools.hset("archive:pushed", mapping={"posts:pushed": 999, "posts:received": 999})
    tools.set("archive:cursor", b"before")
    assert claims.begin_epoch(b"before", CURSOR, "id", [b"gap 1", b"gap 2"])
    counts = {name: int(count) for name, count in tools.hgetall("archive:pushed").items() if int(count)}
    assert counts == {b"posts:pushed": 10, b"gaps:pushed": 3}
    assert tools.lrange("archive:buffer:gaps", 0, -1) == [b"old", b"gap 1", b"gap 2"]


@pytest.mark.parametrize(("stored", "before"), [(None, b"old"), (b"new", b"old"), (b"new", None)])
def test_an_epoch_begins_only_if_the_cursor_is_unchanged(
    stored: bytes | None, before: bytes | None, claims: Claims, tools: Redis
) -> None:
    if stored is not None:
        tools.set("archive:cursor", stored)
    assert not claims.begin_epoch(before, CURSOR, "id", [b"gap"])
    assert tools.get("archive:cursor") == stored
    assert (
        tools.exists("archive:epoch", "archive:id", "archive:pushed"),
        tools.llen("archive:buffer:gaps"),
    ) == (0, 0)
