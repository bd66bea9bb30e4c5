"""Objects of a bucket: complete, from an offset, and missing ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.shared.settings import SettingsError
from services.tools.offload.bucket import Bucket, Measured, measure
from services.tools.settings import ToolsSettings

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.offload.tests.conftest import OffloadedArchive


def test_an_object_is_read_back_from_any_offset(stored: OffloadedArchive, tmp_path: Path) -> None:
    bucket, path = Bucket(ToolsSettings()), tmp_path / "any"
    path.write_bytes(bytes(range(256)) * 64)
    bucket.put("a/b", path)
    assert bucket.measure("a/b") == measure(path)
    assert bucket.size("a/b") == path.stat().st_size
    assert b"".join(bucket.blocks("a/b", 16_000)) == path.read_bytes()[16_000:]
    bucket.fetch("a/b", stored.root / "fetched")
    assert (stored.root / "fetched").read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("stored")
def test_a_missing_object_is_none() -> None:
    bucket = Bucket(ToolsSettings())
    assert bucket.measure("a/c") is None
    assert bucket.size("a/c") is None
    bucket.delete("a/c")
    with pytest.raises(FileNotFoundError):
        list(bucket.blocks("a/c", 0))


def test_a_file_is_measured_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "any"
    path.write_bytes(b"abc")
    assert measure(path) == Measured(3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_a_key_file_needs_two_lines(stored: OffloadedArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.store.keys.write_text("one\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="two lines"):
        Bucket(ToolsSettings())
    monkeypatch.setenv("ARCHIVE_OBJECT_KEY_FILE", str(stored.store.keys.with_name("none")))
    with pytest.raises(SettingsError, match="give the right path"):
        Bucket(ToolsSettings())
