"""Reads a list from its head, chunk after chunk: Redis gives out the next elements while these are worked on.

Its lists are compressed, so giving out is most of what reading costs, and it costs the server, not us. One
slice is asked for at a time, as soon as the one before has come whole: while a server has further commands of
a client to carry out, it sends that client's replies on in small pieces only.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from redis import exceptions

from services.buffer.connection import reaction
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.buffer.connection import Connection

FIRST_SLICE = 64
SLICE = 4096
"""Elements asked for at a time, about what is encoded at a time; fewer while they are large."""
SLICE_BYTES = 4 << 20
"""What a slice takes, if its elements are as large as those before."""
BYTES_PER_EVENT = 768
"""A chunk ends at C events or C times this many bytes, so that memory is bounded for large events too.
Both follow from the C in the claim's name: a restart with other settings cuts the same chunks."""


class Reading:
    """The first elements of a list that nobody changes meanwhile; the connection is its own until `end`."""

    def __init__(self, connection: Connection, key: str, chunk: int, chunks: int) -> None:
        self._connection = connection
        self._key = key
        self._chunk = chunk
        self._most = chunk * chunks
        self._asked = 0
        self._coming = 0
        """Elements of the reply that is owed."""
        self._fitting = FIRST_SLICE
        self._left: list[bytes] = []
        self.count = 0
        """Elements given out so far."""
        self._ask()

    def next_chunk(self) -> Iterator[Sequence[bytes]]:
        """Yield the next chunk's elements in order, slice by slice; nothing at the end of the list.

        Raises Transient when the connection fails, or as Redis says.
        """
        room, budget = self._chunk, self._chunk * BYTES_PER_EVENT
        while room and budget > 0:
            some = self._left or self._receive()
            if not some:
                break
            fitting = _fitting(some, room, budget)
            some, self._left = some[:fitting], some[fitting:]
            room -= fitting
            budget -= sum(map(len, some))
            self.count += fitting
            yield some
        if room < self._chunk:
            reach(CrashPoint.CLAIM_READ)

    def end(self) -> None:
        """Take what was asked for and is not needed: the connection is for others again."""
        # Who uses a connection that is lost is told by itself.
        with contextlib.suppress(Transient):
            if self._coming:
                self._coming = 0
                self._connection.receive()

    def _receive(self) -> list[bytes]:
        if not self._coming:
            return []
        wanted, self._coming = self._coming, 0
        elements: list[bytes] | exceptions.ResponseError = self._connection.receive()
        if isinstance(elements, exceptions.ResponseError):
            raise reaction(elements)
        if len(elements) == wanted:
            self._fitting = max(1, min(SLICE, SLICE_BYTES * wanted // max(1, sum(map(len, elements)))))
            self._ask()
        return elements

    def _ask(self) -> None:
        wanted = min(self._fitting, self._most - self._asked)
        if wanted:
            self._connection.send(("LRANGE", self._key, self._asked, self._asked + wanted - 1))
            self._coming = wanted
            self._asked += wanted


def _fitting(elements: Sequence[bytes], room: int, budget: int) -> int:
    """Return how many belong to a chunk with so much room; the one that uses the bytes up still does."""
    if len(elements) <= room and sum(map(len, elements)) < budget:
        return len(elements)
    for index, element in enumerate(elements[:room], 1):
        budget -= len(element)
        if budget <= 0:
            return index
    return min(room, len(elements))
