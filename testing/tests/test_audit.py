"""Promise 4, judged by code that shares nothing with the writer: from its row, any event comes back equal."""

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

from services.data_writer.commit import Origin, commit
from services.data_writer.encode import encode
from services.shared.event import JETSTREAM_STREAMS, Reason, Stream, stream_of
from testing.audit import Audit, audit, rebuild_events
from testing.audit.__main__ import main

REAL = Path(__file__).parents[3] / "shared" / "data"
REAL_EVENTS = ("jetstream_v1_20260704", "jetstream_v1_20260525", "jetstream_v1_20240921_upgraded_envelope")
NOON_US = 1_783_166_400_000_000

COLLECTION_OF = {
    Stream.POSTS: "app.bsky.feed.post",
    Stream.LIKES: "app.bsky.feed.like",
    Stream.REPOSTS: "app.bsky.feed.repost",
    Stream.FOLLOWS: "app.bsky.graph.follow",
    Stream.RECORDS: "org.example.anything",
}


def archive(root: Path, events: dict[Stream, list[bytes]]) -> None:
    for stream, elements in events.items():
        encoded = encode(stream, elements)
        assert not encoded.rejected
        commit(root, encoded, Origin())


def by_stream(frames: list[bytes]) -> dict[Stream, list[bytes]]:
    found: dict[Stream, list[bytes]] = {}
    for frame in frames:
        event = json.loads(frame)
        collection = event["commit"]["collection"] if event["kind"] == "commit" else ""
        found.setdefault(stream_of(event["kind"], collection), []).append(frame)
    return found


def judged(frames: list[bytes]) -> Audit:
    with tempfile.TemporaryDirectory() as root:
        events = by_stream(frames)
        archive(Path(root), events)
        return audit(Path(root), events)


def frame_of(**commit: Any) -> bytes:
    whole = {"rev": "3k", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "a"} | commit
    return json.dumps({"did": "did:plc:a", "time_us": NOON_US, "kind": "commit", "commit": whole}).encode()


# --- any event ---------------------------------------------------------------------------------------------------

# JSON is drawn as text, not as values: what a value cannot say (duplicate keys, 1e999, -0, spaces) must survive too.
text = st.text(st.characters(codec="utf-8"), max_size=12).map(json.dumps)
int64 = st.integers(-(2**63), 2**63 - 1).map(str)
number = st.one_of(
    st.integers().map(str),
    st.integers(10**30, 10**40).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1e999", "-1E+999", "-0", "-0.0", "1.50", "1e-5", "9" * 5000]),
)
scalar = st.one_of(st.sampled_from(["null", "true", "false", '"\\u0000"', "[ ]", "{ }"]), number, text)


def object_of(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


json_text = st.recursive(
    scalar,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]")
        | st.lists(st.tuples(text | st.sampled_from(['"a"', '"uri"', '"$type"']), inner), max_size=4).map(object_of)
    ),
    max_leaves=8,
)
instant = st.sampled_from(
    [
        '"2026-07-04T14:38:02.123Z"',
        '"2026-07-04T14:38:02+00:00"',
        '"2026-07-04T14:38:02.123456789-05:00"',
        '"2023-08-26T12:19:50.226623"',
        '"2026-02-30T00:00:00.000Z"',
        '"2026-06-30T23:59:60.000Z"',
        '"0000-01-01T00:00:00.000Z"',
        '"0001-01-01T00:00:00.000Z"',
        '"0001-01-01T00:00:00.000+14:00"',
        '"9999-12-31T23:59:59.999Z"',
        '"1969-12-31T23:59:59.999Z"',
        '"2026-07-04 14:38:02.123Z"',
        '"yesterday"',
    ]
)


@st.composite
def object_like(draw: st.DrawFn, **known: st.SearchStrategy[str]) -> str:
    """Draw an object with most of the known keys, a few of another type, and now and then others."""
    pairs = []
    for key, plausible in known.items():
        choice = draw(st.integers(0, 9))
        if choice:
            pairs.append((json.dumps(key.replace("_type", "$type")), draw(plausible if choice > 1 else json_text)))
    if not draw(st.integers(0, 3)):
        pairs += draw(st.lists(st.tuples(text | st.just('"createdAt"'), json_text), max_size=2))
    return object_of(draw(st.permutations(pairs)))


ref = object_like(uri=text, cid=text)
texts = st.lists(text, max_size=3).map(lambda items: "[" + ",".join(items) + "]")
subject = {"createdAt": instant, "subject": ref, "via": ref}


def record_like(stream: Stream) -> st.SearchStrategy[str]:
    kind = st.just(json.dumps(COLLECTION_OF[stream]))
    if stream is Stream.POSTS:
        fields = {"text": text, "langs": texts, "tags": texts, "reply": object_like(root=ref, parent=ref)}
        fields |= {"embed": json_text, "facets": json_text, "labels": json_text, "createdAt": instant}
        return object_like(_type=kind, **fields)
    if stream is Stream.FOLLOWS:
        return object_like(_type=kind, createdAt=instant, subject=text)
    return object_like(_type=kind, **subject)


@st.composite
def any_event(draw: st.DrawFn) -> bytes:
    """Draw the JSON of an event as odd as validation lets through."""
    stream = draw(st.sampled_from(JETSTREAM_STREAMS))
    kind = {Stream.IDENTITIES: "identity", Stream.ACCOUNTS: "account"}.get(stream, "commit")
    did = draw(text)
    if kind == "commit":
        operation = draw(st.sampled_from(["create", "create", "update", "delete", "resurrect"]))
        body = [("rev", draw(text)), ("operation", json.dumps(operation)), ("rkey", draw(text))]
        body.append(("collection", json.dumps(COLLECTION_OF[stream])))
        if operation in ("create", "update") or draw(st.booleans()):
            body.append(("record", draw(record_like(stream) if draw(st.integers(0, 5)) else json_text)))
        body += draw(st.sampled_from([[], [("cid", draw(text))], [("cid", draw(json_text))]]))
    else:
        body = [("seq", draw(int64)), ("did", draw(st.sampled_from([did, "null"]) | text))]
        body += [("time", draw(instant)), ("active", "true"), ("handle", draw(text)), ("status", draw(json_text))]
        body = body[:1] + draw(st.lists(st.sampled_from(body[1:]), unique_by=lambda pair: pair[0]))
    if draw(st.integers(0, 3)) == 0:
        body += draw(st.sampled_from([[("odd", draw(json_text))], [("did", draw(json_text))]]))
    event = [("did", did), ("kind", json.dumps(kind)), (kind, "")]
    event.append(("time_us", str(draw(st.integers(0, 253_402_300_799_999_999) | st.just(NOON_US)))))
    event += draw(st.sampled_from([[], [], [("cursor", draw(int64))], [("cursor", draw(json_text))]]))
    event += draw(st.sampled_from([[], [], [("more", draw(json_text))], [("account" + kind, "{}")]]))
    pairs = [(json.dumps(key), value or object_of([(json.dumps(k), v) for k, v in body])) for key, value in event]
    return object_of(draw(st.permutations(pairs))).encode()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(any_event(), min_size=1, max_size=12))
def test_any_event_that_satisfies_validation_comes_back_equal(frames: list[bytes]) -> None:
    verdict = judged(frames)
    # Two drawn events may share their identity: the second is then rightly called doubled.
    assert verdict.faults == sum(stream.doubled for stream in verdict.streams.values()), str(verdict)


@pytest.mark.parametrize("stream", COLLECTION_OF)
def test_a_record_512_levels_deep_comes_back_equal(stream: Stream) -> None:
    deep = "[" * 511 + "]" * 511
    record = f'{{"$type":"{COLLECTION_OF[stream]}","embed":{deep},"subject":{deep},"other":{deep}}}'
    frame = frame_of(collection=COLLECTION_OF[stream], record="@").replace(b'"@"', record.encode())
    assert judged([frame]).passed


# --- real events -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason="the real events lie beside the repository, not in it")
@pytest.mark.parametrize("name", REAL_EVENTS)
def test_real_events_come_back_equal(name: str) -> None:
    frames = (REAL / f"{name}.jsonl").read_bytes().splitlines()
    verdict = judged(frames)
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
    verdict = judged(frames)
    assert verdict.passed, str(verdict)


# --- the judge itself --------------------------------------------------------------------------------------------

LIKES = [
    frame_of(collection="app.bsky.feed.like", rev=str(n), record={"createdAt": "2026-07-04T14:38:02.123Z"})
    for n in range(10)
]


def test_what_is_lost_doubled_altered_or_strange_is_counted(tmp_path: Path) -> None:
    archive(tmp_path, {Stream.LIKES: LIKES[:8]})
    archive(tmp_path, {Stream.LIKES: [LIKES[0], LIKES[9]]})
    altered = LIKES[3].replace(b"2026-07", b"2027-07")
    verdict = audit(tmp_path, {"likes": [*LIKES[:3], altered, *LIKES[4:9]]})
    likes = verdict.streams["likes"]
    assert (likes.truth, likes.archive) == (9, 10)
    assert (likes.lost, likes.doubled, likes.altered, likes.strangers) == (1, 1, 1, 1)
    assert not verdict.passed
    assert "lost: event 8" in str(verdict)


def test_a_number_that_became_a_float_is_altered(tmp_path: Path) -> None:
    archive(tmp_path, {Stream.RECORDS: [frame_of(collection="a.b", record={"n": 1})]})
    assert audit(tmp_path, {"records": [frame_of(collection="a.b", record={"n": 1.0})]}).faults == 1
    assert audit(tmp_path, {"records": [frame_of(collection="a.b", record={"n": 1})]}).passed


def test_host_fields_are_left_out_on_demand(tmp_path: Path) -> None:
    archive(tmp_path, {Stream.LIKES: LIKES})
    other = [json.loads(frame) | {"time_us": NOON_US + 5, "cursor": 7} for frame in LIKES]
    truth = [("likes", event) for event in other]
    assert audit(tmp_path, truth).streams["likes"].altered == len(LIKES)
    assert audit(tmp_path, truth, ignore_host_fields=True).passed


def test_either_telling_of_an_event_is_right(tmp_path: Path) -> None:
    archive(tmp_path, {Stream.LIKES: LIKES})
    other = [json.loads(frame) | {"time_us": NOON_US + 5} for frame in LIKES]
    assert audit(tmp_path, {"likes": [*other, *LIKES, *other]}).passed


def test_rejected_frames_are_compared_where_the_truth_names_them(tmp_path: Path) -> None:
    commit(tmp_path, encode(Stream.LIKES, [*LIKES, b"\xff"]), Origin())
    assert audit(tmp_path, {"likes": LIKES}).uncompared == {"rejects": 1, "gaps": 0}
    assert audit(tmp_path, {"likes": LIKES, "rejects": [b"\xff"]}).passed
    assert audit(tmp_path, {"likes": LIKES, "rejects": [b"other"]}).faults == 2


def test_an_empty_archive_holds_nothing(tmp_path: Path) -> None:
    assert list(rebuild_events(tmp_path, "likes")) == []
    assert audit(tmp_path, {"likes": LIKES}).streams["likes"].lost == len(LIKES)


def test_the_judge_imports_nothing_from_the_services() -> None:
    code = "import sys, testing.audit.__main__; sys.exit(any(name.startswith('services') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_the_command_compares_with_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source.jsonl"
    source.write_bytes(b"\n".join([*LIKES, b"not json", b""]))
    root = tmp_path / "archive"
    root.mkdir()
    commit(root, encode(Stream.LIKES, LIKES), Origin())
    assert main(["--root", str(root), "--source", str(source)]) == 1
    commit(root, encode(Stream.LIKES, [b"not json"]), Origin())
    assert main(["--root", str(root), "--source", str(source)]) == 0
    assert "likes" in capsys.readouterr().out
    assert Reason.ENCODE_FAILED
