"""Who acts and what is acted upon: popularity with a heavy tail, by inverse-CDF maths instead of tables.

Calibrated to JSONBench's real stream of 2024: its first second (502 likes by 493 DIDs of 492 subjects) and
its first million events, 814 s (444,523 likes by 117,671 DIDs, and the posts, reposts and follows beside).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from testing.events.names import CID_BYTES, cid, did, tid


class Crowd(NamedTuple):
    """Zipf-Mandelbrot: rank k, from 0, has a likelihood of 1 / ((k + shift) * ln(ratio))."""

    shift: float
    ratio: float


def crowd(shift: float, people: int) -> Crowd:
    """Return a crowd of so many; the smaller the shift, the more its first say."""
    return Crowd(shift, (people + shift) / shift)


EVERYBODY = crowd(115.0, 4_000_000)
"""Whom and what others like, repost, answer, follow, block."""
LIKERS = crowd(350.0, 163_000)
POSTERS = crowd(250.0, 546_000)
REPOSTERS = crowd(250.0, 76_000)
FOLLOWERS = crowd(250.0, 65_000)

_REGULARS = 1_000
"""The busiest are always there; the others come for a while and make room for others."""
_OTHERS = 1_500_007
_SITTING_US = 1_800 * 1_000_000
# The golden share of _OTHERS: the next to come are as far as can be from all who came before.
_NEXT = 927_055

_SEASON_US = 2 * 3600 * 1_000_000
"""How long a post stays as popular as it is; then others take its rank."""


class Post(NamedTuple):
    """A strong reference to a post that somebody likes, reposts, answers or quotes."""

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
    """Return the number of who acts at now_us, for u in [0, 1): the rank says how often, the time who."""
    place = int(among.shift * among.ratio**u - among.shift)
    if place < _REGULARS:
        return place
    # Each place changes hands at a moment of its own.
    sitting = (now_us + place * 7_368_787) // _SITTING_US
    return _REGULARS + (place + sitting * _NEXT) % _OTHERS


def season(now_us: int) -> int:
    """Return the number of the season that now_us is in."""
    return now_us // _SEASON_US


def popular_post(u: float, now_us: int) -> Post:
    """Return the post of the rank that u gives among those popular at now_us; equal whenever asked."""
    return post(rank(u), season(now_us))


def post(number: int, season: int) -> Post:
    """Return post `number` of a season: written 30 s to some weeks (median 1.5 h) before the season began."""
    digest = blake2b(number.to_bytes(8, "little") + season.to_bytes(8, "little"), person=b"post").digest()
    bits = int.from_bytes(digest[CID_BYTES:], "little")
    age_us = int(30_000_000 * 10 ** ((bits & 0xFFFF) / 0x10000 * 4.5))
    author = rank((bits >> 16 & 0xFFFFFF) / 0x1000000)
    # The app names posts by the millisecond and a clock id of 5 bits (108 of 120 in the capture of 2026).
    posted = tid((season * _SEASON_US - age_us) // 1000 * 1000, bits >> 40 & 31)
    return Post(did(author), posted, cid(digest[:CID_BYTES]))


def repost_of(author: str, rkey: str) -> str:
    """Return the JSON of a strong reference to a repost, for `via`; its cid follows from its name."""
    digest = blake2b(f"{author}/{rkey}".encode(), person=b"repost").digest()
    uri = f"at://{author}/app.bsky.feed.repost/{rkey}"
    return f'{{"cid":"{cid(digest[:CID_BYTES])}","uri":"{uri}"}}'
