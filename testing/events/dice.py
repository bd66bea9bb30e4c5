"""Seeded randomness for the rarer, richer records; repeatable over Python versions."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeVar

from testing.events.names import CID_BYTES, cid

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class Dice(Random):
    """Uses random() and randbytes() only: the methods whose results Python keeps over its versions."""

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.random() < probability

    def below(self, limit: int) -> int:
        """Return an integer in [0, limit)."""
        return int(self.random() * limit)

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of the choices, each as likely."""
        return choices[int(self.random() * len(choices))]

    def pick_zipf(self, choices: Sequence[T]) -> T:
        """Return one of the choices, the n-th with a likelihood of about 1/n."""
        return choices[int(len(choices) ** self.random()) - 1]

    def cid(self) -> str:
        """Return the CID of some record."""
        return cid(self.randbytes(CID_BYTES))

    def blob(self) -> str:
        """Return the CID of some file."""
        return cid(self.randbytes(CID_BYTES), "bafkrei")
