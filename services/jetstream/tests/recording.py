"""A validator that records its input, which is what a receiver put into its inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.jetstream.validate import validator

if TYPE_CHECKING:
    from services.jetstream.inbox import Inbox
    from services.shared.event import Event, Reason

LARGEST = 1 << 30


class RecordingValidator:
    """Validates like the ingester, and records each frame."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self._validate = validator(LARGEST)

    def __call__(self, frame: bytes) -> Event | Reason:
        """Record and validate a frame."""
        self.frames.append(frame)
        return self._validate(frame)


def empty(inbox: Inbox) -> None:
    """Remove everything from the inbox."""
    while inbox:
        inbox.take()
        inbox.drop()
