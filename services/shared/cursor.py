"""The cursor: where to resume, and how old it is compared with another; never compared by time."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from services.shared.errors import BrokenInvariant


class Window(msgspec.Struct, frozen=True):
    """An interval of event time on one host that must be read once more; Unix microseconds."""

    from_us: int
    to_us: int
    host: str


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything up to here is buffered.

    Jetstream has two kinds of host: v1 counts in time (`time_us`), v2 in `seq` as well, which holds
    on that one host only. `identity` is the last event's, in hex, and proves a host to be the same.
    """

    time_us: int
    epoch: int
    push: int
    """Number of the push that wrote it, counted on across epochs."""
    nonce: str = ""
    """New for each process and reset, so that nobody mistakes another's cursor for its own."""
    host: str = ""
    """Empty at an archive's start: no host has been read yet."""
    kind: Literal["", "v1", "v2"] = ""
    seq: int | None = None
    identity: str = ""
    windows: tuple[Window, ...] = ()

    def age(self) -> tuple[int, int]:
        """Order of cursors: epoch, then push number."""
        return self.epoch, self.push

    def encode(self) -> bytes:
        """Form in Redis and in the checkpoints."""
        return msgspec.json.encode(self)


class Epoch(NamedTuple):
    """The number of an epoch, and the `run_id` of the server in which a writer last confirmed it."""

    number: int
    run_id: str

    def encode(self) -> str:
        """Form in Redis."""
        return f"{self.number} {self.run_id}"


def decode_epoch(raw: bytes | None) -> Epoch:
    """Read `archive:epoch`; an epoch 0 of no server when there is none."""
    number, _, run_id = (raw or b"0").decode().partition(" ")
    return Epoch(int(number), run_id)


def decode_cursor(raw: bytes, where: str) -> Cursor:
    """Read a cursor found at `where`; raises BrokenInvariant when it is none of ours."""
    try:
        return msgspec.json.decode(raw, type=Cursor)
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(
            f"{where} holds no cursor of this version ({error}); delete it to resume from the checkpoints"
        ) from error
