"""Who acts, and on what: popularity with a heavy tail, from the inverse distribution function.

Calibrated to JSONBench's real stream of 2024: its first second (502 likes by 493 DIDs of 492 subjects) and
its first million events, 814 s (444,523 likes by 117,671 DIDs, and and posts, reposts and follows).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from testing.events.names import CID_BYTES, cid, did, tid

_REGULARS = 1_000
"""The busiest ranks are always the same people; the other ranks change hands."""
_OTHERS = 1_500_007
_TURN_US = 1_800 * 1_000_000
# _OTHERS times the golden ratio: each next person is far from all the earlier ones.
_NEXT = 927_055
_SEASON_US = 2 * 3600 * 1_000_000
"""How long a post keeps its popularity; then another post has its rank."""


class Crowd(NamedTuple):
    """Zipf-Mandelbrot distribution: rank k, from 0, has the probability 1 / ((k + shift) * ln(ratio))."""

    shift: float
    ratio: float


def crowd(shift: float, people: int) -> Crowd:
    """Return a crowd of this many people; the smaller the shift, the more active the first ranks."""
    return Crowd(shift, (people + shift) / shift)


EVERYBODY = crowd(115.0, 4_000_000)
"""Accounts and posts that others like, repost, answer, follow or block."""
LIKERS = crowd(350.0, 163_000)
POSTERS = crowd(250.0, 546_000)
REPOSTERS = crowd(250.0, 76_000)
FOLLOWERS = crowd(250.0, 65_000)


class Post(NamedTuple):
    """A strong reference to a post."""

    author: str
    rkey: str
    cid: str

    @property
    def uri(self) -> str:
        """The at-uri."""
        return f"at://{self.author}/app.bsky.feed.post/{self.rkey}"

    @property
    def ref(self) -> str:
        """The JSON of the strong reference."""
        return f'{{"cid":"{self.cid}","uri":"{self.uri}"}}'


def rank(u: float, among: Crowd = EVERYBODY) -> int:
    """Return a popularity rank (0 is the most popular) for u in [0, 1)."""
    return int(among.shift * among.ratio**u - among.shift)


def actor(u: float, among: Crowd, now_us: int) -> int:
    """Return the number of the actor at now_us, for u in [0, 1)."""
    rank_ = int(among.shift * among.ratio**u - among.shift)
    if rank_ < _REGULARS:
        return rank_
    # Each rank changes hands at a different time.
    turn = (now_us + rank_ * 7_368_787) // _TURN_US
    return _REGULARS + (rank_ + turn * _NEXT) % _OTHERS


def season(now_us: int) -> int:
    """Return the number of the season that now_us is in."""
    return now_us // _SEASON_US


def popular_post(u: float, now_us: int) -> Post:
    """Return the post of the rank for u among those popular at now_us."""
    return post(rank(u), season(now_us))


def post(number: int, season: int) -> Post:
    """Return post `number` of a season: written 30 s to some weeks (median 1.5 h) before the season."""
    digest = blake2b(number.to_bytes(8, "little") + season.to_bytes(8, "little"), person=b"post").digest()
    bits = int.from_bytes(digest[CID_BYTES:], "little")
    age_us = int(30_000_000 * 10 ** ((bits & 0xFFFF) / 0x10000 * 4.5))
    author = rank((bits >> 16 & 0xFFFFFF) / 0x1000000)
    # The app names posts by the millisecond and a clock id of 5 bits (108 of 120 in the capture of 2026).
    posted = tid((season * _SEASON_US - age_us) // 1000 * 1000, bits >> 40 & 31)
    return Post(did(author), posted, cid(digest[:CID_BYTES]))


def repost_of(author: str, rkey: str) -> str:
    """Return the JSON of a strong reference to a repost, for `via`; its CID depends on its URI."""
    digest = blake2b(f"{author}/{rkey}".encode(), person=b"repost").digest()
    uri = f"at://{author}/app.bsky.feed.repost/{rkey}"
    return f'{{"cid":"{cid(digest[:CID_BYTES])}","uri":"{uri}"}}'
