"""A tool's connections belong to one archive, and say so where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.shared.errors import BrokenInvariant, Transient
from services.shared.lifecycle import Stopping
from services.shared.settings import Settings
from services.tools.buffers import Buffers

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenInvariant, match="ARCHIVE_ROOT"):
        Buffers(Settings(archive_root=tmp_path), Stopping())


def test_work_that_was_in_doubt_is_not_done_when_stopping(tmp_path: Path) -> None:
    (tmp_path / ".archive-id").write_text("0123456789abcdef", encoding="ascii")
    stopping = Stopping()
    buffers = Buffers(Settings(archive_root=tmp_path, redis_url="redis://tools:any@127.0.0.1:9/0"), stopping)
    with pytest.raises(Transient):
        buffers.open()
    stopping.set()
    assert buffers.until_done(lambda: "done") is None
