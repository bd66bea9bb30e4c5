"""Exported events are equal to what Jetstream sent, ordered by time, each once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.event import Stream, stream_of
from services.tools.cli.export import lines
from services.tools.query.views import connected
from services.tools.tests.making import START_US, write
from testing.harness.fixtures import REAL_EVENTS
from testing.proof.audit.canonical import canonical, parse
from testing.tests.any_event import any_event

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask

    Events = dict[Stream, list[bytes]]


def reported(text: str | bytes) -> list[str]:
    return [canonical(parse(line)) for line in text.splitlines()]


def exported(root: Path) -> list[str]:
    with connected(root, 256) as connection:
        return reported(b"".join(lines(connection, root, list(Stream)[:7], (0, 1 << 62))))


def test_every_event_is_exported_unchanged_and_in_order(ask: Ask, truth: Events) -> None:
    answer = ask("export")
    assert answer.exit_code == 0
    frames = sorted(canonical(parse(frame)) for frames in truth.values() for frame in frames)
    assert sorted(reported(answer.stdout)) == frames
    times = [json.loads(line)["time_us"] for line in answer.stdout.splitlines()]
    assert times == sorted(times)


def test_duplicates_are_exported_once(root: Path, ask: Ask, truth: Events) -> None:
    write(root, Stream.LIKES, truth[Stream.LIKES][:20])
    assert len(ask("export").stdout.splitlines()) == sum(map(len, truth.values()))


def test_events_can_be_selected(ask: Ask, truth: Events, tmp_path: Path) -> None:
    likes = [json.loads(frame) for frame in truth[Stream.LIKES]]
    did = likes[3]["did"]
    mine = [one for one in likes if one["did"] == did]
    answer = ask("export", "--stream", "likes", "--did", did)
    assert [json.loads(line) for line in answer.stdout.splitlines()] == mine

    out = tmp_path / "likes.jsonl"
    words = (
        "--from",
        "2026-09-21T16:10",
        "--to",
        "2026-09-21T17:10:00Z",
        "--stream",
        "likes",
        "--out",
        str(out),
    )
    assert ask("export", *words).exit_code == 0
    first, end = START_US + 600 * 1_000_000, START_US + 4200 * 1_000_000
    assert reported(out.read_bytes()) == [canonical(one) for one in likes if first <= one["time_us"] < end]
    assert list(tmp_path.glob("*.partial")) == []


def test_a_wrong_stream_is_refused(ask: Ask) -> None:
    answer = ask("export", "--stream", "gaps")
    assert answer.exit_code == 2
    assert "posts" in answer.stderr


def test_numbers_are_exported_as_they_were_written(tmp_path: Path) -> None:
    record = '{"a":1.10,"b":1e400,"c":12345678901234567890123,"d":-0.0}'
    frame = (
        f'{{"did":"did:plc:a","time_us":{START_US},"kind":"commit","commit":{{"rev":"3k","operation":"create",'
        f'"collection":"a.b","rkey":"a","record":{record}}},"more":1.50}}'
    ).encode()
    commit(tmp_path, encode(Stream.RECORDS, [frame]), ChunkOrigin())
    with connected(tmp_path, 256) as connection:
        (line,) = lines(connection, tmp_path, [Stream.RECORDS], (0, 1 << 62))
    assert record.encode() in line
    assert b'"more":1.50' in line


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_event())
def test_any_valid_event_is_exported_equal(tmp_path_factory: pytest.TempPathFactory, frame: bytes) -> None:
    root = tmp_path_factory.mktemp("any")
    event = parse(frame)
    collection = event["commit"]["collection"] if event["kind"] == "commit" else ""
    commit(root, encode(stream_of(event["kind"], collection), [frame]), ChunkOrigin())
    assert exported(root) == [canonical(event)]


@pytest.mark.skipif(not REAL_EVENTS.is_dir(), reason="the real events lie beside the repository, not in it")
def test_real_events_are_exported_equal(tmp_path: Path) -> None:
    frames = (REAL_EVENTS / "jetstream_v1_20260704.jsonl").read_bytes().splitlines()
    by_stream: Events = {}
    for frame in frames:
        event = json.loads(frame)
        stream = stream_of(event["kind"], event.get("commit", {}).get("collection", ""))
        by_stream.setdefault(stream, []).append(frame)
    for stream, mine in by_stream.items():
        commit(tmp_path, encode(stream, mine), ChunkOrigin())
    assert sorted(exported(tmp_path)) == sorted({canonical(parse(frame)) for frame in frames})
