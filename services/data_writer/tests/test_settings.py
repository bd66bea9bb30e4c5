"""The writer's settings: what fits, what is refused, and what the refusal says."""

from __future__ import annotations

import pytest

from services.data_writer.settings import WriterSettings
from services.shared.event import Stream
from services.shared.settings import SettingsError, load


def test_defaults_are_safe() -> None:
    settings = load(WriterSettings, "WRITER_")
    assert settings.streams == tuple(Stream)
    assert (settings.writer_interval, settings.writer_compression) == (300.0, "zstd")


def test_streams_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRITER_STREAMS", "likes, posts,likes")
    assert load(WriterSettings, "WRITER_").streams == (Stream.POSTS, Stream.LIKES)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WRITER_STREAMS", "posts,like", "'like' is no stream"),
        ("WRITER_INTERVAL", "-1", "WRITER_INTERVAL"),
        ("WRITER_CHUNK", "many", "WRITER_CHUNK"),
        ("WRITER_COMPRESSION", "brotli", "WRITER_COMPRESSION"),
        ("WRITER_COMPRESION", "zstd", "did you mean WRITER_COMPRESSION?"),
        ("ARCHIVE_ROOTS", "x", "did you mean ARCHIVE_ROOT?"),
        ("ARCHIVE_START", "1700000000", "ARCHIVE_START"),
    ],
)
def test_what_does_not_fit_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=said.replace("?", r"\?")):
        load(WriterSettings, "WRITER_")


@pytest.mark.parametrize(("codec", "level"), [("snappy", "3"), ("gzip", "12")])
def test_a_level_must_be_one_of_the_codec(monkeypatch: pytest.MonkeyPatch, codec: str, level: str) -> None:
    monkeypatch.setenv("WRITER_COMPRESSION", codec)
    monkeypatch.setenv("WRITER_COMPRESSION_LEVEL", level)
    with pytest.raises(SettingsError, match="WRITER_COMPRESSION_LEVEL"):
        load(WriterSettings, "WRITER_")


def test_the_other_daemon_s_settings_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_ANYTHING", "1")
    load(WriterSettings, "WRITER_")
