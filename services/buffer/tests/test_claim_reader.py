"""A claim is cut into the same chunks however it is read; unread replies do not block the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.buffer.claims import BYTES_PER_EVENT, FIRST_SLICE, SLICE, SLICE_BYTES, Claim, Claims
from services.shared.errors import BrokenInvariant, Transient
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from testing.harness.proxy import Proxy

if TYPE_CHECKING:
    from redis import Redis

    from testing.harness.redis import RedisServer

LARGEST_CHUNK = 1_000_000


def claim_of(tools: Redis, chunk: int, elements: list[bytes]) -> Claim:
    """Return a claim with these elements."""
    claim = Claim(Stream.POSTS, chunk)
    tools.rpush(claim.key, *elements)
    return claim


def numbered(events: int, size: int = 8) -> list[bytes]:
    """Return elements that all differ."""
    return [str(index).encode().ljust(size, b".") for index in range(events)]


def chunks_of(claims: Claims, claim: Claim, most: int) -> list[list[bytes]]:
    """Read up to `most` chunks."""
    found: list[list[bytes]] = []
    with claims.read(claim, most) as reader:
        for _ in range(most):
            chunk = [element for some in reader.next_chunk() for element in some]
            if not chunk:
                break
            found.append(chunk)
        assert reader.count == sum(map(len, found))
    return found


def read_and_acked(claims: Claims, claim: Claim, at_once: int) -> list[list[bytes]]:
    """Read a claim to its end, and ack `at_once` chunks at a time."""
    found: list[list[bytes]] = []
    while some := chunks_of(claims, claim, at_once):
        assert chunks_of(claims, claim, at_once) == some, "before the ack the same is read again"
        found += some
        claims.ack(claim, sum(map(len, some)))
    assert claims.find(claim.stream) == [], "a fully acked claim no longer exists"
    return found


@pytest.mark.parametrize("at_once", [1, 2, 4])
@pytest.mark.parametrize(
    "chunk",
    [
        1,
        3,
        FIRST_SLICE - 1,
        FIRST_SLICE,
        SLICE,
        SLICE + FIRST_SLICE,
        SLICE + FIRST_SLICE + 1,
        2 * SLICE,
        5000,
    ],
)
def test_chunks_are_cut_by_events_and_join_to_the_whole(
    chunk: int, at_once: int, claims: Claims, tools: Redis
) -> None:
    elements = numbered(6 * SLICE + 1 if chunk > 3 else 3 * FIRST_SLICE)
    found = read_and_acked(claims, claim_of(tools, chunk, elements), at_once)
    assert [len(part) for part in found[:-1]] == [chunk] * (len(found) - 1)
    assert [element for part in found for element in part] == elements


@pytest.mark.parametrize(
    ("size", "chunk", "lengths"),
    [
        (BYTES_PER_EVENT, 10, [10, 10, 5]),
        (BYTES_PER_EVENT - 1, 10, [10, 10, 5]),
        (BYTES_PER_EVENT * 2, 10, [5, 5, 5, 5, 5]),
        (BYTES_PER_EVENT * 10, 10, [1] * 25),
        (BYTES_PER_EVENT * 50, 10, [1] * 25),
        (BYTES_PER_EVENT * 4, 10, [3, 3, 3, 3, 3, 3, 3, 3, 1]),
    ],
)
def test_chunks_are_cut_by_bytes_too(
    size: int, chunk: int, lengths: list[int], claims: Claims, tools: Redis
) -> None:
    elements = numbered(25, size)
    for at_once in (1, 2, 4):
        found = read_and_acked(claims, claim_of(tools, chunk, elements), at_once)
        assert [len(part) for part in found] == lengths
        assert [element for part in found for element in part] == elements


def test_an_unread_reply_does_not_block_the_connection(claims: Claims, tools: Redis) -> None:
    elements = numbered(10 * SLICE)
    claim = claim_of(tools, LARGEST_CHUNK, elements)
    with claims.read(claim, 1) as reader:
        assert next(reader.next_chunk()) == elements[:FIRST_SLICE]
        with pytest.raises(BrokenInvariant, match="must be received"):
            claims.length(claim)
    assert claims.length(claim) == len(elements)
    claims.ack(claim, FIRST_SLICE)
    assert claims.length(claim) == len(elements) - FIRST_SLICE


def test_slices_of_large_elements_are_short(claims: Claims, tools: Redis) -> None:
    large = SLICE_BYTES // 16
    elements = [*numbered(FIRST_SLICE + 40, large), *numbered(2 * SLICE)]
    claim = claim_of(tools, LARGEST_CHUNK, elements)
    with claims.read(claim, 1) as reader:
        slices = list(reader.next_chunk())
    assert [element for some in slices for element in some] == elements
    assert max(sum(map(len, some)) for some in slices[1:]) <= SLICE_BYTES
    assert max(map(len, slices)) == SLICE, "and after them slices are long again"


def test_a_lost_connection_is_transient_until_it_is_opened_again(
    redis_server: RedisServer, tools: Redis
) -> None:
    claim = claim_of(tools, LARGEST_CHUNK, numbered(10 * SLICE, 500))
    with Proxy(redis_server.port) as proxy:
        claims = Claims(proxy.redirect(redis_server.url("writer")), Stopping())
        claims.open()
        with claims.read(claim, 1) as reader:
            slices = reader.next_chunk()
            next(slices)
            proxy.lose_reply(b"LRANGE")
            with pytest.raises(Transient, match="connection lost"):
                list(slices)
        with pytest.raises(Transient, match="closed"):
            claims.length(claim)
        claims.open()
        assert len(chunks_of(claims, claim, 1)[0]) == 10 * SLICE
        claims.close()


def test_an_error_reply_is_raised_and_the_connection_stays_usable(claims: Claims, tools: Redis) -> None:
    claim = Claim(Stream.POSTS, 100)
    tools.set(claim.key, "no list")
    with pytest.raises(BrokenInvariant, match="WRONGTYPE"):
        chunks_of(claims, claim, 2)
    assert claims.find(Stream.POSTS) == [claim]
