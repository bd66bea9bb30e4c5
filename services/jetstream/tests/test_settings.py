"""INGEST_*: what the hosts would refuse is refused here, by name and before anything starts."""

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


def test_the_writers_settings_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_host_is_taken(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_what_is_no_host_is_refused(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, INGEST_HOSTS=f"a.example,{host}")
    assert said.startswith("INGEST_HOSTS: ")
    assert repr(host) in said


@pytest.mark.parametrize(
    "names", ["app.bsky.feed.post", "app.bsky.graph.*", "app.bsky.*", "fm.teal.alpha.actor.status"]
)
def test_a_collection_is_taken(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, INGEST_COLLECTIONS=names).ingest_collections == (names,)


@pytest.mark.parametrize(
    "name", ["post", "app.bsky.graph.fo*", "*", "app.bsky.feed.post/", "1app.bsky", "app..post*"]
)
def test_what_is_no_collection_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, INGEST_COLLECTIONS=f"app.bsky.feed.like,{name}")
    assert said.startswith("INGEST_COLLECTIONS: ")
    assert repr(name) in said


@pytest.mark.parametrize(
    "did", ["did:plc:ewvi7nxzyoun6zhxrhs64oiz", "did:web:example.com", "did:web:a.b%3A8080"]
)
def test_a_did_is_taken(did: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, INGEST_DIDS=did).ingest_dids == (did,)


@pytest.mark.parametrize(
    "did", ["alice.bsky.social", "did:plc:", "DID:plc:abc", "did:plc:a b", "did:PLC:abc"]
)
def test_what_is_no_did_is_refused(did: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, INGEST_DIDS=did)
    assert said.startswith("INGEST_DIDS: ")
    assert repr(did) in said


def test_a_hundred_collections_and_ten_thousand_dids_are_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    collections = [f"app.example.c{i}" for i in range(101)]
    dids = [f"did:plc:{i:024}" for i in range(10_001)]
    settings = read(
        monkeypatch, INGEST_COLLECTIONS=",".join(collections[:100]), INGEST_DIDS=",".join(dids[:10_000])
    )
    assert (len(settings.ingest_collections), len(settings.ingest_dids)) == (100, 10_000)
    assert refusal(monkeypatch, INGEST_COLLECTIONS=",".join(collections)).startswith("INGEST_COLLECTIONS: ")
    monkeypatch.delenv("INGEST_COLLECTIONS")
    assert refusal(monkeypatch, INGEST_DIDS=",".join(dids)).startswith("INGEST_DIDS: ")


def test_what_is_named_twice_is_kept_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, INGEST_HOSTS="b.example,a.example,b.example").ingest_hosts == (
        "b.example",
        "a.example",
    )


@pytest.mark.parametrize(
    ("environment", "mend"),
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
def test_what_does_not_fit_together_is_refused(
    environment: dict[str, str], mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mend in refusal(monkeypatch, **environment)


def test_folders_to_watch_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, INGEST_WATCH_DISKS=str(tmp_path)).ingest_watch_disks == (str(tmp_path),)
