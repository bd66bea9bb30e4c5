"""The writer's settings: defaults, invalid values and their messages."""

from __future__ import annotations

import pytest

from services.data_writer.settings import WriterSettings
from services.shared.event import Stream
from services.shared.settings import SettingsError, load


def test_defaults() -> None:
    settings = load(WriterSettings, "WRITER_")
    assert settings.streams == tuple(Stream)
    assert (settings.writer_interval, settings.writer_compression) == (300.0, "zstd")


def test_streams_are_in_the_order_of_their_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRITER_STREAMS", "likes, posts,likes")
    assert load(WriterSettings, "WRITER_").streams == (Stream.POSTS, Stream.LIKES)


@pytest.mark.parametrize(
    ("name", "value", "message"),
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
def test_an_invalid_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message.replace("?", r"\?")):
        load(WriterSettings, "WRITER_")


@pytest.mark.parametrize(("codec", "level"), [("snappy", "3"), ("gzip", "12")])
def test_the_level_must_be_one_of_the_codec(monkeypatch: pytest.MonkeyPatch, codec: str, level: str) -> None:
    monkeypatch.setenv("WRITER_COMPRESSION", codec)
    monkeypatch.setenv("WRITER_COMPRESSION_LEVEL", level)
    with pytest.raises(SettingsError, match="WRITER_COMPRESSION_LEVEL"):
        load(WriterSettings, "WRITER_")


def test_settings_of_other_daemons_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_ANYTHING", "1")
    load(WriterSettings, "WRITER_")
