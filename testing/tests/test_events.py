"""The traffic is a pure function with unique identities, in the form of the wire."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testing.events import HostView, Traffic
from testing.events.names import Rng
from testing.events.oddities import ODDITIES
from testing.events.text import escaped

FIRST_US = 1_783_175_888_000_000
TRAFFIC = Traffic(seed=7, first_us=FIRST_US, rate=500.0)
V1, V2 = HostView(), HostView("v2", offset_us=1_234, first_seq=9_000)

LIKE = "app.bsky.feed.like"


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    return list(islice(TRAFFIC.truth(V1), 20_000))


@pytest.fixture(scope="module")
def events(frames: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in frames]


def identity(event: dict[str, Any]) -> tuple[Any, ...]:
    if event["kind"] == "commit":
        commit = event["commit"]
        return (event["did"], *(commit[key] for key in ("rev", "collection", "rkey", "operation")))
    return event["did"], event["kind"], event[event["kind"]]["seq"]


@given(st.integers(0, 10**7), st.floats(0.5, 900_000))
@settings(max_examples=200)
def test_times_increase_and_index_at_is_their_inverse(i: int, rate: float) -> None:
    traffic = Traffic(seed=3, first_us=FIRST_US, rate=rate)
    at = traffic.time_us(i)
    assert at < traffic.time_us(i + 1)
    assert [traffic.index_at(at + step) for step in (-1, 0, 1)] == [
        i if i == 0 or traffic.time_us(i - 1) < at - 1 else i - 1,
        i,
        i + 1,
    ]
    assert traffic.index_at(FIRST_US - 10**9) == 0


def test_the_mean_rate_is_kept() -> None:
    assert TRAFFIC.time_us(500_000) - FIRST_US == pytest.approx(1_000_000_000, abs=2_000)


def test_the_traffic_ends_at_total() -> None:
    short = Traffic(seed=7, first_us=FIRST_US, rate=500.0, total=3)
    assert len(list(short.truth(V1))) == 3
    assert short.index_at(FIRST_US + 10**12) == 3
    with pytest.raises(IndexError):
        short.frame(3, V1)


def test_every_frame_is_a_function_of_seed_and_index() -> None:
    again = Traffic(seed=7, first_us=FIRST_US, rate=500.0)
    other = Traffic(seed=8, first_us=FIRST_US, rate=500.0)
    assert [TRAFFIC.frame(i, V1) for i in (40, 7, 40)] == [again.frame(i, V1) for i in (40, 7, 40)]
    assert TRAFFIC.frame(7, V1) != other.frame(7, V1)


def test_hosts_differ_in_time_and_number_only() -> None:
    for i in range(300):
        one, two = json.loads(TRAFFIC.frame(i, V1)), json.loads(TRAFFIC.frame(i, V2))
        assert two.pop("cursor") == 9_000 + i
        assert two.pop("time_us") == TRAFFIC.time_us(i - i % 3) + 1_234
        assert one.pop("time_us") == TRAFFIC.time_us(i)
        assert one == two


def test_index_at_finds_the_first_event_of_a_batch() -> None:
    for i in range(30):
        assert TRAFFIC.seen_index_at(TRAFFIC.seen_us(i, V2), V2) == i - i % 3
        assert TRAFFIC.seen_index_at(TRAFFIC.seen_us(i, V2) + 1, V2) == i - i % 3 + 3
        assert TRAFFIC.seen_index_at(TRAFFIC.seen_us(i, V1), V1) == i


def test_keys_have_the_order_of_the_wire(frames: list[bytes]) -> None:
    commit = re.compile(
        rb'\{"did":"did:plc:[a-z2-7]{24}","time_us":\d{16},"kind":"commit","commit":\{"rev":"[2-7a-z]{13}",'
        rb'"operation":"(create|update)","collection":"[^"]+","rkey":"[A-Za-z0-9.\-_:~]+","record":.*,'
        rb'"cid":"bafyrei[a-h][a-z2-7]{50}[aeimquy4]"\}\}',
    )
    delete = re.compile(rb'.*"operation":"delete","collection":"[^"]+","rkey":"[2-7a-z]{13}"\}\}')
    other = re.compile(rb'.*"time_us":\d{16},"kind":"(identity|account)","(identity|account)":\{.*\}\}')
    assert all(shape.fullmatch(frame) for frame in frames for shape in [_shape(frame, commit, delete, other)])


def _shape(frame: bytes, *shapes: re.Pattern[bytes]) -> re.Pattern[bytes]:
    commit, delete, other = shapes
    if b'"kind":"commit"' not in frame:
        return other
    return delete if b'"operation":"delete"' in frame else commit


def test_identities_are_unique(events: list[dict[str, Any]]) -> None:
    assert len({identity(event) for event in events}) == len(events)


def test_one_commit_may_hold_several_events(events: list[dict[str, Any]]) -> None:
    commits = Counter((e["did"], e["commit"]["rev"]) for e in events if e["kind"] == "commit")
    assert max(commits.values()) == 4


def test_a_popular_subject_repeats_identically(events: list[dict[str, Any]]) -> None:
    subjects: dict[str, set[str]] = defaultdict(set)
    likes = 0
    for event in events:
        if event["kind"] == "commit" and event["commit"]["collection"] == LIKE:
            subject = event["commit"].get("record", {}).get("subject")
            if subject:
                likes += 1
                subjects[subject["uri"]].add(subject["cid"])
    assert all(len(cids) == 1 for cids in subjects.values())
    assert len(subjects) < 0.95 * likes


def test_facets_have_the_offsets_of_their_bytes(events: list[dict[str, Any]]) -> None:
    checked = 0
    for event in events:
        record = event.get("commit", {}).get("record")
        if not isinstance(record, dict):
            continue
        for facet in record.get("facets", []):
            token = record["text"].encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode()
            feature = facet["features"][0]
            assert token.startswith("@") or token == f"#{feature.get('tag')}" or token.endswith("...")
            checked += 1
    assert checked > 100


def test_escapes_match_gos_encoder(frames: list[bytes]) -> None:
    everything = b"".join(frames)
    assert not any(raw in everything for raw in (b"<", b">", b"&", b"\\u00e9"))
    assert all(escape in everything for escape in (b"\\u0026", b"\\u003c3", b"-\\u003e", b"\\n"))
    assert escaped('\0"\\') == r"\u0000\"\\"


def test_revisions_increase_within_a_repository_except_for_bridges(events: list[dict[str, Any]]) -> None:
    revs: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if event["kind"] == "commit" and not event["commit"]["rev"].startswith("2222"):
            revs[event["did"]].append(event["commit"]["rev"])
    assert all(a <= b for seen in revs.values() for a, b in pairwise(seen))


@pytest.mark.parametrize("which", range(len(ODDITIES)))
def test_every_unusual_record_is_json(which: int) -> None:
    record = ODDITIES[which](Rng(which), FIRST_US)
    json.loads(record.json)
