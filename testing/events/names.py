"""Identifiers of the network (DIDs, CIDs, TIDs, timestamps) and the seeded random generator of rare records.

Alphabets and lengths: atproto's specifications of did:plc, CIDv1 (base32) and TID (base32-sortable).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence


_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_SORTABLE = "234567abcdefghijklmnopqrstuvwxyz"
_TO_BASE32 = bytes(ord(_BASE32[byte & 31]) for byte in range(256))
# 36 bytes of CID are 288 bits in 58 characters: 3 random bits are left for the 8th and 3 for the last.
_CID_FIRST = _BASE32[:8]
_CID_LAST = _BASE32[::4]
_PAIRS = [a + b for a in _SORTABLE for b in _SORTABLE]

CID_BYTES = 52
"""Number of random bytes for one CID (one per character, 5 bits of each used)."""
T = TypeVar("T")


def did(actor: int) -> str:
    """Return the did:plc of actor number `actor`, the same for every seed."""
    digest = blake2b(actor.to_bytes(8, "little"), digest_size=24, person=b"actor")
    return "did:plc:" + digest.digest().translate(_TO_BASE32).decode()


def cid(noise: bytes, codec: str = "bafyrei") -> str:
    """Return a well-formed CIDv1 from `CID_BYTES` random bytes; codec bafyrei is dag-cbor, bafkrei raw."""
    body = noise.translate(_TO_BASE32).decode()
    return f"{codec}{_CID_FIRST[noise[0] & 7]}{body[1:51]}{_CID_LAST[noise[51] & 7]}"


def tid(time_us: int, clock: int) -> str:
    """Return the 13 characters of a TID: Unix microseconds (53 bits) and a clock id (10 bits)."""
    v = time_us << 10 | clock
    p = _PAIRS
    return (
        f"{_SORTABLE[v >> 60]}{p[v >> 50 & 1023]}{p[v >> 40 & 1023]}{p[v >> 30 & 1023]}"
        f"{p[v >> 20 & 1023]}{p[v >> 10 & 1023]}{p[v & 1023]}"
    )


def iso(time_us: int) -> str:
    """Return `YYYY-MM-DDTHH:MM:SS.mmmZ`, as most clients write createdAt."""
    seconds, micros = divmod(time_us, 1_000_000)
    return f"{second(seconds)}.{micros // 1000:03d}Z"


@lru_cache(maxsize=4096)
def second(seconds: int) -> str:
    """Return `YYYY-MM-DDTHH:MM:SS` of Unix seconds, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class Rng(Random):
    """Uses only random() and randbytes(), whose results are the same in every Python version."""

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.random() < probability

    def below(self, limit: int) -> int:
        """Return an integer in [0, limit)."""
        return int(self.random() * limit)

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices, all equally likely."""
        return choices[int(self.random() * len(choices))]

    def pick_zipf(self, choices: Sequence[T]) -> T:
        """Return one of the choices, the n-th with a probability of about 1/n."""
        return choices[int(len(choices) ** self.random()) - 1]

    def cid(self) -> str:
        """Return a random CID of a record."""
        return cid(self.randbytes(CID_BYTES))

    def blob(self) -> str:
        """Return a random CID of a file."""
        return cid(self.randbytes(CID_BYTES), "bafkrei")
