"""A time is found in whatever has one."""

from __future__ import annotations

import pytest

from services.data_writer.element_time import time_of
from services.data_writer.tests.test_decode import like
from services.shared.event import Stream


@pytest.mark.parametrize(
    ("element", "time_us"),
    [
        (like(), 5),
        (b'{"time_us":7}', 7),
        (b'{"time_us":7,"did":[]}', 7),
        (b'{"time_us":-1}', None),
        (b'{"time_us":253402300800000000}', None),
        (b'{"time_us":"7"}', None),
        (b"{}", None),
        (b"", None),
        (b'{"did":"\xff"}', None),
        (b"[" * 100_000, None),
    ],
)
def test_a_time_is_read_whatever_else_is_wrong(element: bytes, time_us: int | None) -> None:
    assert time_of(Stream.LIKES, element) == time_us
    assert time_of(Stream.GAPS, element.replace(b"time_us", b"received_at")) == time_us
