"""INGEST_*: values that a host would refuse are refused at the start, by the setting's name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from services.jetstream.settings import IngesterSettings
from services.shared.settings import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("INGEST_", "ARCHIVE_", "REDIS_", "WRITER_")):
            monkeypatch.delenv(name)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> IngesterSettings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load(IngesterSettings, "INGEST_")


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    with pytest.raises(SettingsError) as refused:
        read(monkeypatch, **environment)
    return str(refused.value)


def test_the_defaults_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)
    assert len(settings.ingest_hosts) == 6
    assert settings.ingest_collections == settings.ingest_dids == ()


def test_the_writers_settings_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, WRITER_INTERVAL="1", WRITER_TYPO="x") == IngesterSettings()


def test_a_misspelt_name_is_refused_with_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "did you mean INGEST_HOSTS?" in refusal(monkeypatch, INGEST_HOST="a.example")


@pytest.mark.parametrize(
    "host",
    [
        "jetstream.example",
        "localhost",
        "127.0.0.1:6008",
        "ws://127.0.0.1:6008",
        "wss://jetstream.example/",
        "[::1]:6008",
        "ws://[::1]:6008",
    ],
)
def test_a_host_is_accepted(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, INGEST_HOSTS=host).ingest_hosts == (host,)


@pytest.mark.parametrize(
    "host",
    [
        "https://jetstream.example",
        "jetstream.example/subscribe",
        "jet stream",
        "user@host",
        "ws://",
        "wss://a.example?x=1",
        "jetstream.example:99999",
        "ws://a..b",
        f"{'a' * 64}.example",
        "ws://[::1",
    ],
)
def test_an_invalid_host_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, INGEST_HOSTS=f"a.example,{host}")
    assert message.startswith("INGEST_HOSTS: ")
    assert repr(host) in message


@pytest.mark.parametrize(
    "names", ["app.bsky.feed.post", "app.bsky.graph.*", "app.bsky.*", "fm.teal.alpha.actor.status"]
)
def test_a_collection_is_accepted(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, INGEST_COLLECTIONS=names).ingest_collections == (names,)


@pytest.mark.parametrize(
    "name", ["post", "app.bsky.graph.fo*", "*", "app.bsky.feed.post/", "1app.bsky", "app..post*"]
)
def test_an_invalid_collection_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, INGEST_COLLECTIONS=f"app.bsky.feed.like,{name}")
    assert message.startswith("INGEST_COLLECTIONS: ")
    assert repr(name) in message


@pytest.mark.parametrize(
    "did", ["did:plc:ewvi7nxzyoun6zhxrhs64oiz", "did:web:example.com", "did:web:a.b%3A8080"]
)
def test_a_did_is_accepted(did: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, INGEST_DIDS=did).ingest_dids == (did,)


@pytest.mark.parametrize(
    "did", ["alice.bsky.social", "did:plc:", "DID:plc:abc", "did:plc:a b", "did:PLC:abc"]
)
def test_an_invalid_did_is_refused(did: str, monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, INGEST_DIDS=did)
    assert message.startswith("INGEST_DIDS: ")
    assert repr(did) in message


def test_at_most_100_collections_and_10000_dids_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    collections = [f"app.example.c{i}" for i in range(101)]
    dids = [f"did:plc:{i:024}" for i in range(10_001)]
    settings = read(
        monkeypatch, INGEST_COLLECTIONS=",".join(collections[:100]), INGEST_DIDS=",".join(dids[:10_000])
    )
    assert (len(settings.ingest_collections), len(settings.ingest_dids)) == (100, 10_000)
    assert refusal(monkeypatch, INGEST_COLLECTIONS=",".join(collections)).startswith("INGEST_COLLECTIONS: ")
    monkeypatch.delenv("INGEST_COLLECTIONS")
    assert refusal(monkeypatch, INGEST_DIDS=",".join(dids)).startswith("INGEST_DIDS: ")


def test_repeated_names_are_kept_once_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, INGEST_HOSTS="b.example,a.example,b.example").ingest_hosts == (
        "b.example",
        "a.example",
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"INGEST_COMPRESS": "true"}, "INGEST_DICTIONARY"),
        ({"INGEST_RESUME_PERCENT": "75"}, "INGEST_RESUME_PERCENT must be below INGEST_PAUSE_PERCENT"),
        ({"INGEST_PAUSE_PERCENT": "50"}, "INGEST_RESUME_PERCENT must be below INGEST_PAUSE_PERCENT"),
        ({"INGEST_PAUSE_PERCENT": "80"}, "INGEST_PAUSE_PERCENT"),
        ({"INGEST_WATCH_DISKS": "/nowhere/at/all"}, "INGEST_WATCH_DISKS: no such folder: /nowhere/at/all"),
        ({"INGEST_MAX_FRAME_BYTES": "1000"}, "INGEST_MAX_FRAME_BYTES"),
        ({"INGEST_DEDUP_SECONDS": "59"}, "INGEST_DEDUP_SECONDS"),
        ({"INGEST_PUSH_EVENTS": "0"}, "INGEST_PUSH_EVENTS"),
        ({"INGEST_IDLE_SECONDS": "0"}, "INGEST_IDLE_SECONDS"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert message in refusal(monkeypatch, **environment)


def test_watched_folders_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, INGEST_WATCH_DISKS=str(tmp_path)).ingest_watch_disks == (str(tmp_path),)
