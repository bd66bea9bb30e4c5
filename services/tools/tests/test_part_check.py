"""What a part is held against: order and columns; the harms themselves are in test_verify."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from services.shared.event import Stream
from services.tools.part_check import is_sorted, wrong_schema


def test_order() -> None:
    def of(*rows: tuple[Any, Any]) -> pa.Table:
        return pa.table({"a": [row[0] for row in rows], "b": [row[1] for row in rows]})

    assert is_sorted(of(("a", 1), ("a", 2), ("b", 1), (None, 0), (None, 3)))
    assert not is_sorted(of(("a", 2), ("a", 1)))
    assert not is_sorted(of(("b", 1), ("a", 2)))
    assert not is_sorted(of((None, 1), ("a", 2)))
    assert is_sorted(of(("a", 2)))


def test_columns() -> None:
    ours = pa.schema([("time_us", pa.int64())])
    assert wrong_schema(Stream.LIKES, ours, 0) is None
    assert wrong_schema(Stream.LIKES, ours, 99)
    assert wrong_schema(Stream.LIKES, pa.schema([("time_us", pa.string())]), 0)
