"""Times as clients write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.data_writer.encoding.timestamps import parse, read_column, render

CANONICAL = "2026-07-04T14:38:02.123Z"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        (CANONICAL, CANONICAL),
        ("2026-07-04T14:38:02+00:00", "2026-07-04T14:38:02.000Z"),
        ("2026-07-04T14:38:02.5-05:30", "2026-07-04T20:08:02.500Z"),
        ("2026-07-04T14:38:02.123456789z", "2026-07-04T14:38:02.123Z"),
        ("2023-08-26T12:19:50.226623", "2023-08-26T12:19:50.226Z"),
        ("2026-07-04 14:38Z", "2026-07-04T14:38:00.000Z"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_a_readable_time_is_parsed(text: str, rendered: str) -> None:
    instant = parse(text)
    assert instant is not None
    assert render(instant) == rendered


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-07-04",
        "0000-01-01T00:00:00.000Z",
        "0001-01-01T00:00:00.000+14:00",
        "9999-12-31T23:59:59.999-01:00",
        "2026-02-30T00:00:00.000Z",
        "2026-06-30T23:59:60.000Z",
        "2026-07-04T24:00:00.000Z",
        "2026-07-04T14:38:02.123+25:00",
        "2026-07-04T14:38:02.123Z\n",
        "２０２６-07-04T14:38:02.123Z",  # noqa: RUF001 - digits of another script are digits to int()
        "9" * 100_000,
    ],
)
def test_a_text_that_is_no_time_is_none(text: str) -> None:
    assert parse(text) is None


def test_the_canonical_form_is_reproduced_by_the_column() -> None:
    column, inexact = read_column([CANONICAL, None, "1000-02-28T00:00:00.000Z"])
    assert inexact == []
    assert column.to_pylist() == [
        datetime(2026, 7, 4, 14, 38, 2, 123_000, tzinfo=UTC),
        None,
        datetime(1000, 2, 28, tzinfo=UTC),
    ]


@pytest.mark.parametrize("unusual", ["2026-02-30T00:00:00.000Z", "2026-07-04T14:38:02Z", "nonsense"])
def test_an_unusual_time_does_not_change_its_neighbours(unusual: str) -> None:
    column, inexact = read_column([CANONICAL, None, unusual, "0999-01-01T00:00:00.000Z"])
    assert inexact == [2]
    assert [None if value is None else render(value) for value in column.to_pylist()][::3] == [
        CANONICAL,
        "0999-01-01T00:00:00.000Z",
    ]


def test_microseconds_are_truncated_and_the_time_counts_as_inexact() -> None:
    column, inexact = read_column(["2023-08-26T12:19:50.226623"])
    assert inexact == [0]
    assert column.to_pylist() == [datetime(2023, 8, 26, 12, 19, 50, 226_000, tzinfo=UTC)]


def test_no_texts_make_an_empty_column() -> None:
    assert [len(part) for part in read_column([])] == [0, 0]
    assert read_column([None, None])[0].null_count == 2
