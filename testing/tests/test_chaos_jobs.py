"""Runs side by side: nothing to do ends at once, and a process that dies is not waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testing.proof.chaos.jobs import outcomes

if TYPE_CHECKING:
    from pathlib import Path


def test_without_seeds_there_is_nothing_to_come(tmp_path: Path) -> None:
    assert list(outcomes([], 1, tmp_path, 1.0)) == []


def test_a_process_that_dies_ends_it_all_loudly(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(RuntimeError, match="has died"):
        list(outcomes([1], 1, in_the_way, 1.0))
