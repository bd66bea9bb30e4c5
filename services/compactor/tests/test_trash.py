"""What was replaced stays for a while."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from services.compactor.trash import purge

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_is_old_enough_is_deleted(tmp_path: Path) -> None:
    for name, at in (("old", 100), ("young", 200)):
        hour = tmp_path / ".trash" / "likes" / name
        hour.mkdir(parents=True)
        (hour / "part.parquet").touch()
        os.utime(hour, (at, at))
    assert purge(tmp_path, 150) == 1
    assert [path.name for path in (tmp_path / ".trash" / "likes").iterdir()] == ["young"]
    assert purge(tmp_path, 150) == 0
