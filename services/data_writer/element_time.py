"""Reads the one time that decides an element's hour, whatever else is wrong with the element."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from services.data_writer.decode import TimeUs  # noqa: TC001 - msgspec reads annotations at runtime
from services.shared.event import Stream

OWN_STREAMS = (Stream.REJECTS, Stream.GAPS)
"""The streams whose elements are of our own form and have `received_at` where events have `time_us`."""


class _EventTime(Struct, gc=False):
    time_us: TimeUs


class _ReceiptTime(Struct, gc=False):
    received_at: TimeUs


_EVENT_TIME = msgspec.json.Decoder(_EventTime)
_RECEIPT_TIME = msgspec.json.Decoder(_ReceiptTime)


def time_of(stream: Stream, element: bytes) -> int | None:
    """Return the Unix microseconds that decide an element's hour; None if unreadable.

    Reads nothing else of it, so that no other fault of the element hides its time.
    """
    try:
        if stream in OWN_STREAMS:
            return _RECEIPT_TIME.decode(element).received_at
        return _EVENT_TIME.decode(element).time_us
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
