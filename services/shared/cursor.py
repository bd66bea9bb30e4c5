"""The cursor: where to resume. Cursors are ordered by epoch and push number, never by time."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from services.shared.errors import BrokenInvariant


class Window(msgspec.Struct, frozen=True):
    """An interval of event time on one host that must be re-read; Unix microseconds."""

    from_us: int
    to_us: int
    host: str


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The position up to which everything is buffered.

    A v1 host resumes by time (`time_us`), a v2 host also by `seq`, a number that is valid on that host only.
    `identity` is the last event's, in hex; an event with it shows that a replay is contiguous.
    """

    time_us: int
    epoch: int
    push: int
    """Number of the push that wrote it; it continues across epochs."""
    nonce: str = ""
    """New for each session, so that an ingester recognizes its own cursor."""
    host: str = ""
    """Empty at the archive's start: no host has been read yet."""
    kind: Literal["", "v1", "v2"] = ""
    seq: int | None = None
    identity: str = ""
    windows: tuple[Window, ...] = ()

    def age(self) -> tuple[int, int]:
        """Return the order of this cursor: epoch, then push number."""
        return self.epoch, self.push

    def encode(self) -> bytes:
        """Return the JSON that is stored in Redis and in checkpoints."""
        return msgspec.json.encode(self)


class Epoch(NamedTuple):
    """The number of an epoch, and the `run_id` of the server in which a writer last confirmed it."""

    number: int
    run_id: str

    def encode(self) -> str:
        """Return the value stored in Redis."""
        return f"{self.number} {self.run_id}"


def decode_epoch(raw: bytes | None) -> Epoch:
    """Decode `archive:epoch`; None gives epoch 0 of no server."""
    number, _, run_id = (raw or b"0").decode().partition(" ")
    return Epoch(int(number), run_id)


def decode_cursor(raw: bytes, where: str) -> Cursor:
    """Decode a cursor read from `where`; raises BrokenInvariant for anything else."""
    try:
        return msgspec.json.decode(raw, type=Cursor)
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(
            f"{where} holds no cursor of this version ({error}); delete it to resume from the checkpoints"
        ) from error
