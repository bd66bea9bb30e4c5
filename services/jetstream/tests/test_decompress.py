"""Compressed frames: only the right dictionary is accepted, and the output is bounded."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from services.jetstream import validate
from services.jetstream.settings import IngesterSettings
from services.jetstream.validate import Decompressor, frame_opener, load_dictionary
from services.shared.errors import BadInput, BrokenInvariant, Transient
from services.shared.event import Reason

if TYPE_CHECKING:
    from pathlib import Path

WORDS = b" ".join(b'{"did":"did:plc:%d","kind":"commit"}' % i for i in range(100))
DICTIONARY = zstandard.ZstdCompressionDict(WORDS, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
LARGEST = 1000


def packed(raw: bytes, *, size: bool = True) -> bytes:
    return zstandard.ZstdCompressor(dict_data=DICTIONARY, write_content_size=size).compress(raw)


def reason(frame: bytes) -> str:
    with pytest.raises(BadInput) as bad:
        Decompressor(WORDS, LARGEST).open(frame)
    return bad.value.reason


@given(st.binary(max_size=LARGEST), st.booleans())
def test_compressed_bytes_are_decompressed(raw: bytes, size: bool) -> None:  # noqa: FBT001
    assert Decompressor(WORDS, LARGEST).open(packed(raw, size=size)) == raw


@given(st.binary(max_size=200))
def test_any_bytes_give_bytes_or_a_reason(frame: bytes) -> None:
    with contextlib.suppress(BadInput):
        assert len(Decompressor(WORDS, LARGEST).open(frame)) <= LARGEST


@pytest.mark.parametrize("size", [True, False])
def test_a_frame_that_decompresses_beyond_the_limit_is_rejected(size: bool) -> None:  # noqa: FBT001
    bomb = packed(b"x" * 50_000_000, size=size)
    assert len(bomb) < 10_000
    assert reason(bomb) in (Reason.TOO_LARGE, Reason.NOT_JSON)


def test_what_is_neither_compressed_nor_json_is_rejected() -> None:
    assert reason(b"") == reason(b"[]") == Reason.NOT_JSON
    assert reason(packed(b"x" * 100)[:-3]) == Reason.NOT_JSON


def test_a_missing_or_wrong_dictionary_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BrokenInvariant, match="INGEST_DICTIONARY: no file"):
        load_dictionary(str(tmp_path / "none"))
    wrong = tmp_path / "wrong.zdict"
    wrong.write_bytes(WORDS)
    with pytest.raises(BrokenInvariant, match=r"INGEST_DICTIONARY.*sha256"):
        load_dictionary(str(wrong))


def test_a_dictionary_that_cannot_be_read_now_is_transient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Transient, match="INGEST_DICTIONARY"):
        load_dictionary(str(tmp_path))
    monkeypatch.setattr(validate, "DICTIONARY_TIMEOUT_SECONDS", 1)
    with pytest.raises(Transient, match="INGEST_DICTIONARY"):
        load_dictionary("https://127.0.0.1:1/zdict")


def test_the_real_dictionary_decompresses_real_events(real_events: Path) -> None:
    path = real_events / "jetstream_v1.zdict"
    if not path.exists():
        pytest.skip("the dictionary is not on this machine")
    found = load_dictionary(str(path))
    compressor = zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(found))
    frame = compressor.compress(b'{"did":"did:plc:a","kind":"commit"}')
    assert json.loads(Decompressor(found, LARGEST).open(frame)) == {"did": "did:plc:a", "kind": "commit"}


def test_without_compression_a_frame_is_its_json() -> None:
    assert frame_opener(IngesterSettings())(b'{"did":"d"}') == b'{"did":"d"}'


def test_a_compressed_frame_is_opened_with_the_configured_dictionary(
    real_events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dictionary = real_events / "jetstream_v1.zdict"
    monkeypatch.setenv("INGEST_COMPRESS", "true")
    monkeypatch.setenv("INGEST_DICTIONARY", str(dictionary))
    words = zstandard.ZstdCompressionDict(dictionary.read_bytes())
    frame = zstandard.ZstdCompressor(dict_data=words).compress(b'{"did":"d"}')
    assert frame_opener(IngesterSettings())(frame) == b'{"did":"d"}'
