"""Values as text for tables."""

from __future__ import annotations

from datetime import UTC, datetime

from services.tools.console import duration, instant, instant_us, shown, size


def test_sizes_and_durations() -> None:
    assert [size(one) for one in (0, 999, 1000, 1_500_000, 2e9, 3e12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.5 MB",
        "2.0 GB",
        "3.00 TB",
    ]
    assert [duration(one) for one in (0, 59.6, 90, 3700, 90_000)] == [
        "0 s",
        "1 min 0 s",
        "1 min 30 s",
        "1 h 1 min",
        "1 d 1 h",
    ]


def test_values_as_text() -> None:
    noon = datetime(2026, 7, 4, 12, tzinfo=UTC)
    assert instant(noon) == instant(noon.replace(tzinfo=None)) == "2026-07-04 12:00:00.000Z"
    assert instant_us(None) == shown(None) == "-"
    assert instant_us(int(noon.timestamp()) * 1_000_000) == "2026-07-04 12:00:00Z"
    assert [shown(one) for one in (True, 1234, b"a\xff", {"a": ["\u00e9"]})] == [
        "true",
        "1,234",
        "a\\xff",
        '{"a": ["\u00e9"]}',
    ]
