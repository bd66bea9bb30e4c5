"""The order of a part's rows, and damaged footers; other damage is in test_verify."""

from __future__ import annotations

import errno
import os
import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.shared.event import Stream
from services.tools.query.parts import find
from services.tools.verify.part_check import DAMAGE, Fault, check_part, is_sorted

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_any_flipped_byte_of_the_footer_gives_a_finding_or_none(root: Path) -> None:
    part = min(find(root, (Stream.LIKES,)).parts)
    whole = part.path.read_bytes()
    rows_bytes = int(pq.read_metadata(part.path).metadata[b"archive.rows_bytes"])
    rng = random.Random(5)
    found = []
    for at in [len(whole) - 1, len(whole) - 6, *rng.sample(range(rows_bytes, len(whole)), 100)]:
        flipped = bytearray(whole)
        flipped[at] ^= 1 << rng.randrange(8)
        part.path.write_bytes(flipped)
        found += check_part(root, part, lambda _count: None).findings
    assert {one.where for one in found} == {part.path.relative_to(root).as_posix()}
    assert {one.fault for one in found} >= {Fault.UNREADABLE}


def test_a_part_without_read_permission_is_a_fault_but_not_damage(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = min(find(root, (Stream.LIKES,)).parts)

    def refuse(*_arguments: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(pa, "OSFile", refuse)
    (found,) = check_part(root, part, lambda _count: None).findings
    assert found.fault is Fault.NO_ACCESS
    assert found.fault not in DAMAGE


def test_rows_are_sorted_by_columns_in_turn() -> None:
    def of(*rows: tuple[Any, Any]) -> pa.Table:
        return pa.table({"a": [row[0] for row in rows], "b": [row[1] for row in rows]})

    assert is_sorted(of(("a", 1), ("a", 2), ("b", 1), (None, 0), (None, 3)))
    assert not is_sorted(of(("a", 2), ("a", 1)))
    assert not is_sorted(of(("b", 1), ("a", 2)))
    assert not is_sorted(of((None, 1), ("a", 2)))
    assert is_sorted(of(("a", 2)))
