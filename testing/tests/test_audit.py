"""Promise 4 (lossless): an event that is rebuilt from its row equals the original; and the audit itself."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.event import Reason, Stream, stream_of
from testing.proof.audit import Audit, audit, rebuild_events
from testing.proof.audit.__main__ import main
from testing.proof.audit.canonical import parse
from testing.tests.any_event import COLLECTION_OF, NOON_US, any_event

REAL = Path(__file__).parents[3] / "shared" / "data"
REAL_EVENTS = ("jetstream_v1_20260704", "jetstream_v1_20260525", "jetstream_v1_20240921_upgraded_envelope")


def archive(root: Path, events: dict[Stream, list[bytes]]) -> None:
    for stream, elements in events.items():
        encoded = encode(stream, elements)
        assert not encoded.rejected
        commit(root, encoded, ChunkOrigin())


def by_stream(frames: list[bytes]) -> dict[Stream, list[bytes]]:
    found: dict[Stream, list[bytes]] = {}
    for frame in frames:
        event = parse(frame)
        collection = event["commit"]["collection"] if event["kind"] == "commit" else ""
        found.setdefault(stream_of(event["kind"], collection), []).append(frame)
    return found


def audited(frames: list[bytes]) -> Audit:
    with tempfile.TemporaryDirectory() as root:
        events = by_stream(frames)
        archive(Path(root), events)
        return audit(Path(root), events)


def frame_of(**commit: Any) -> bytes:
    whole = {"rev": "3k", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "a"} | commit
    return json.dumps({"did": "did:plc:a", "time_us": NOON_US, "kind": "commit", "commit": whole}).encode()


# --- any event ---


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(any_event(), min_size=1, max_size=12))
def test_any_event_that_satisfies_validation_comes_back_equal(frames: list[bytes]) -> None:
    verdict = audited(frames)
    # Two drawn events may have the same identity: the second is then counted as doubled.
    assert verdict.errors == sum(stream.doubled for stream in verdict.streams.values()), str(verdict)


@pytest.mark.parametrize("stream", COLLECTION_OF)
def test_a_record_512_levels_deep_comes_back_equal(stream: Stream) -> None:
    deep = "[" * 511 + "]" * 511
    record = f'{{"$type":"{COLLECTION_OF[stream]}","embed":{deep},"subject":{deep},"other":{deep}}}'
    frame = frame_of(collection=COLLECTION_OF[stream], record="@").replace(b'"@"', record.encode())
    assert audited([frame]).passed


# --- real events ---


@pytest.mark.skipif(not REAL.is_dir(), reason="the real events lie beside the repository, not in it")
@pytest.mark.parametrize("name", REAL_EVENTS)
def test_real_events_come_back_equal(name: str) -> None:
    frames = (REAL / f"{name}.jsonl").read_bytes().splitlines()
    verdict = audited(frames)
    assert verdict.passed, str(verdict)
    assert sum(stream.truth for stream in verdict.streams.values()) == len(frames)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real events lie beside the repository, not in it")
def test_real_records_come_back_equal() -> None:
    frames = []
    for number, line in enumerate((REAL / "records_cid_verified.jsonl").read_bytes().splitlines()):
        known = json.loads(line)
        collection = known["uri"].split("/")[3]
        frames.append(
            frame_of(rev=str(number), collection=collection, cid=known["cid"], record=known["record"])
        )
    verdict = audited(frames)
    assert verdict.passed, str(verdict)


# --- the audit itself ---

LIKES = [
    frame_of(collection="app.bsky.feed.like", rev=str(n), record={"createdAt": "2026-07-04T14:38:02.123Z"})
    for n in range(10)
]


def test_lost_doubled_altered_and_unknown_events_are_counted(tmp_path: Path) -> None:
    archive(tmp_path, {Stream.LIKES: LIKES[:8]})
    archive(tmp_path, {Stream.LIKES: [LIKES[0], LIKES[9]]})
    altered = LIKES[3].replace(b"2026-07", b"2027-07")
    verdict = audit(tmp_path, {"likes": [*LIKES[:3], altered, *LIKES[4:9]]})
    likes = verdict.streams["likes"]
    assert (likes.truth, likes.archive) == (9, 10)
    assert (likes.lost, likes.doubled, likes.altered, likes.unknown) == (1, 1, 1, 1)
    assert not verdict.passed
    assert "lost: event 8" in str(verdict)


def test_a_number_that_became_a_float_is_altered(tmp_path: Path) -> None:
    archive(tmp_path, {Stream.RECORDS: [frame_of(collection="a.b", record={"n": 1})]})
    assert audit(tmp_path, {"records": [frame_of(collection="a.b", record={"n": 1.0})]}).errors == 1
    assert audit(tmp_path, {"records": [frame_of(collection="a.b", record={"n": 1})]}).passed


def test_host_fields_are_ignored_on_demand(tmp_path: Path) -> None:
    archive(tmp_path, {Stream.LIKES: LIKES})
    other = [json.loads(frame) | {"time_us": NOON_US + 5, "cursor": 7} for frame in LIKES]
    truth = [("likes", event) for event in other]
    assert audit(tmp_path, truth).streams["likes"].altered == len(LIKES)
    assert audit(tmp_path, truth, ignore_host_fields=True).passed


def test_an_event_may_differ_between_hosts(tmp_path: Path) -> None:
    archive(tmp_path, {Stream.LIKES: LIKES})
    other = [json.loads(frame) | {"time_us": NOON_US + 5} for frame in LIKES]
    assert audit(tmp_path, {"likes": [*other, *LIKES, *other]}).passed


def test_rejected_frames_are_compared_if_the_truth_has_them(tmp_path: Path) -> None:
    commit(tmp_path, encode(Stream.LIKES, [*LIKES, b"\xff"]), ChunkOrigin())
    assert audit(tmp_path, {"likes": LIKES}).uncompared == {"rejects": 1, "gaps": 0}
    assert audit(tmp_path, {"likes": LIKES, "rejects": [b"\xff"]}).passed
    assert audit(tmp_path, {"likes": LIKES, "rejects": [b"other"]}).errors == 2


def test_an_empty_archive_holds_nothing(tmp_path: Path) -> None:
    assert list(rebuild_events(tmp_path, "likes")) == []
    assert audit(tmp_path, {"likes": LIKES}).streams["likes"].lost == len(LIKES)


def test_the_audit_imports_nothing_of_ingester_and_writer() -> None:
    code = "import sys, testing.proof.audit.__main__; print(*(n for n in sys.modules if 'services' in n))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    # `archive export` and the audit share the module that rebuilds events; it imports nothing else.
    assert done.stdout.split() == [
        "services",
        "services.tools",
        "services.tools.query",
        "services.tools.query.rebuild",
    ]


def test_the_command_compares_with_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source.jsonl"
    source.write_bytes(b"\n".join([*LIKES, b"not json", b""]))
    root = tmp_path / "archive"
    root.mkdir()
    commit(root, encode(Stream.LIKES, LIKES), ChunkOrigin())
    assert main(["--root", str(root), "--source", str(source)]) == 1
    commit(root, encode(Stream.LIKES, [b"not json"]), ChunkOrigin())
    assert main(["--root", str(root), "--source", str(source)]) == 0
    assert "likes" in capsys.readouterr().out
    assert Reason.ENCODE_FAILED
