"""Frames are opened as the hosts send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zstandard

from services.jetstream.settings import IngesterSettings
from services.tools.repair.push import opener

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_without_compression_a_frame_is_its_json() -> None:
    assert opener(IngesterSettings())(b'{"did":"d"}') == b'{"did":"d"}'


def test_a_compressed_frame_is_opened_with_the_hosts_dictionary(
    real_events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dictionary = real_events / "jetstream_v1.zdict"
    monkeypatch.setenv("INGEST_COMPRESS", "true")
    monkeypatch.setenv("INGEST_DICTIONARY", str(dictionary))
    words = zstandard.ZstdCompressionDict(dictionary.read_bytes())
    frame = zstandard.ZstdCompressor(dict_data=words).compress(b'{"did":"d"}')
    assert opener(IngesterSettings())(frame) == b'{"did":"d"}'
