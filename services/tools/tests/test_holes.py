"""How much time holes cover."""

from __future__ import annotations

from services.shared.event import GapReason
from services.tools.holes import OpenGap, seconds, touching


def hole(begin: int, end: int, reason: GapReason = GapReason.CUTOVER) -> OpenGap:
    return OpenGap(begin * 1_000_000, end * 1_000_000, reason, "h", None, 0)


def test_each_moment_counts_once() -> None:
    assert seconds([hole(0, 10), hole(5, 12), hole(20, 21), hole(6, 7)]) == 13
    assert seconds([hole(0, 10)], 5_000_000, 8_000_000) == 3
    assert seconds([hole(0, 10, GapReason.ARCHIVE_START)]) == 0
    assert touching([hole(0, 10, GapReason.ARCHIVE_START), hole(3, 3)], 0, 5_000_000) == [hole(3, 3)]
