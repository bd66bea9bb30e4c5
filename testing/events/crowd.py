"""Who acts and what is acted upon: popularity with a heavy tail, by inverse-CDF maths instead of tables.

Calibration (JSONBench's first second of the real stream): 502 likes by 493 DIDs of 492 subjects.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from testing.events.names import CID_BYTES, cid, did, tid

# Zipf-Mandelbrot, p(k) ~ 1 / (k + SHIFT): the sum of p squared is 1 / (SHIFT * ln(ratio)^2), 8e-5 for these.
_SHIFT = 115.0
_PEOPLE = 4_000_000
_RATIO = (_PEOPLE + _SHIFT) / _SHIFT

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


def rank(u: float) -> int:
    """Return a popularity rank (0 is the most popular) for u in [0, 1)."""
    return int(_SHIFT * _RATIO**u - _SHIFT)


def popular_post(u: float, now_us: int) -> Post:
    """Return the post of the rank that u gives among those popular at now_us; equal whenever asked."""
    return post(rank(u), now_us // _SEASON_US)


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
