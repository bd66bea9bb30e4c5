"""Counts and sizes of generated traffic, under the names of the network's figures, and of real events."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from statistics import fmean, median, quantiles
from typing import TYPE_CHECKING, Any, NamedTuple

from testing.events import crowd
from testing.events.crowd import actor
from testing.events.names import Rng
from testing.events.rhythm import DAY_S, Rhythm
from testing.events.traffic import Traffic
from testing.harness.truth import KINDS, STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


_HOUR_US = 3600 * 1_000_000
_GREAT = {"likes": "feed.like", "posts": "feed.post", "follows": "graph.follow", "reposts": "feed.repost"}
_CREATED = {**_GREAT, "profiles": "actor.profile"}
_CROWDS = {
    "likes": (444_523, crowd.LIKERS),
    "posts": (86_812, crowd.POSTERS),
    "reposts": (56_993, crowd.REPOSTERS),
    "follows": (337_978, crowd.FOLLOWERS),
}
_CROWDS_US = 814 * 1_000_000
_MOST_SAMPLES = 200


def census(frames: Sequence[bytes]) -> dict[str, float]:
    """Return mix, operations, sizes, shares and distinct names of small samples; needs 100,000 frames."""
    events = [json.loads(frame) for frame in frames]
    sizes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for frame, event in zip(frames, events, strict=True):
        sizes[_kind(event)].append(len(frame))
    created = defaultdict(list)
    for event in events:
        if event["kind"] == "commit" and event["commit"]["operation"] == "create":
            created[event["commit"]["collection"]].append(event)
    return {
        **_mix(sizes, len(frames)),
        **_bytes(frames, sizes, created),
        **_shares(created),
        "DIDs in 152 events": _distinct((event["did"] for event in events), 152),
        "DIDs in 502 likes": _distinct((like["did"] for like in created["app.bsky.feed.like"]), 502),
        "subjects in 502 likes": _distinct(map(_subject, created["app.bsky.feed.like"]), 502),
    }


def crowds(first_us: int) -> dict[str, float]:
    """Return how many different DIDs act in as many generated events as real ones of 814 s."""
    rng = Rng(1)
    return {
        f"DIDs in {acts:,} {what} of 814 s": len(
            {actor(rng.random(), among, first_us + rng.below(_CROWDS_US)) for _ in range(acts)}
        )
        for what, (acts, among) in _CROWDS.items()
    }


def rhythm(first_us: int) -> dict[str, float]:
    """Return peak, valley and burst of the day's curve, measured in the traffic."""
    midnight = first_us - first_us % (24 * _HOUR_US)
    day = Traffic(1, midnight, 350.0, rhythm=Rhythm(day=True))
    hours = [
        day.index_at(midnight + (at + 1) * _HOUR_US) - day.index_at(midnight + at * _HOUR_US)
        for at in range(24)
    ]
    burst = Traffic(1, midnight, 350.0, rhythm=Rhythm.parse("bursts"))
    minute = [burst.index_at(midnight + at * _HOUR_US // 60) for at in (59, 60, 61)]
    mean = 350.0 * DAY_S / 24
    return {
        "peak hour, times the day's mean": max(hours) / mean,
        "valley, times the day's mean": min(hours) / mean,
        "burst, times the hour's mean": (minute[2] - minute[1]) / (minute[1] - minute[0]),
    }


def distinct(traffic: Traffic, seconds: int) -> tuple[int, int]:
    """Return the numbers of DIDs that act, and of their subjects, in the first seconds."""
    actors, subjects = set(), set()
    for i in range(traffic.index_at(traffic.first_us + seconds * 1_000_000)):
        moment = traffic.moment(i)
        actors.add(moment.number)
        if moment.verb in {"like", "repost", "follow"}:
            subjects.add(moment.subject)
    return len(actors), len(subjects)


def _kind(event: dict[str, Any]) -> tuple[str, str]:
    if event["kind"] != "commit":
        return event["kind"], ""
    return event["commit"]["collection"], event["commit"]["operation"]


def _mix(sizes: dict[tuple[str, str], list[int]], total: int) -> dict[str, float]:
    collections, deletes = Counter[str](), 0
    for (collection, operation), found in sizes.items():
        collections[collection] += len(found)
        deletes += len(found) if operation == "delete" else 0
    shares = {name: 100 * count / total for name, count in collections.items()}
    creates = {
        f"creates among {name}": 100
        * len(sizes[f"app.bsky.{short}", "create"])
        / max(1, collections[f"app.bsky.{short}"])
        for name, short in _CREATED.items()
    }
    named = 100 * (collections["identity"] + collections["account"]) / total
    return {**shares, **creates, "identity and account": named, "deletes": 100 * deletes / total}


def _bytes(
    frames: Sequence[bytes], sizes: dict[tuple[str, str], list[int]], created: dict[str, list[dict[str, Any]]]
) -> dict[str, float]:
    likes = zip(sizes["app.bsky.feed.like", "create"], created["app.bsky.feed.like"], strict=True)
    with_via = [size for size, like in likes if "via" in like["commit"]["record"]]
    deleted = [size for (_, operation), found in sizes.items() if operation == "delete" for size in found]
    return {
        "bytes, mean event": fmean(map(len, frames)),
        "bytes, 99th percentile of events": quantiles(map(len, frames), n=100)[98],
        "bytes, median like": median(sizes["app.bsky.feed.like", "create"]),
        "bytes, median like with via": median(with_via),
        "bytes, median repost": median(sizes["app.bsky.feed.repost", "create"]),
        "bytes, median follow": median(sizes["app.bsky.graph.follow", "create"]),
        "bytes, median block": median(sizes["app.bsky.graph.block", "create"]),
        "bytes, mean delete": fmean(deleted),
        "bytes, least identity": min(sizes["identity", ""]),
        "bytes, 90th percentile of identities": quantiles(sizes["identity", ""], n=10)[8],
        "bytes, median post": median(sizes["app.bsky.feed.post", "create"]),
    }


def _shares(created: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    records = {
        name: [event["commit"]["record"] for event in created[f"app.bsky.{short}"]]
        for name, short in _GREAT.items()
    }
    posts = records["posts"]
    english = sum(any(tag.split("-")[0] == "en" for tag in post.get("langs", ())) for post in posts)
    return {
        "replies among posts": _having("reply", posts),
        "posts with an embed": _having("embed", posts),
        "posts with facets": _having("facets", posts),
        "posts in English": 100 * english / len(posts),
        "likes with via": _having("via", records["likes"]),
        "reposts with via": _having("via", records["reposts"]),
    }


def _having(key: str, records: list[dict[str, Any]]) -> float:
    return 100 * sum(key in record for record in records) / len(records)


def _subject(event: dict[str, Any]) -> str:
    uri: str = event["commit"]["record"]["subject"]["uri"]
    return uri


def _distinct(names: Iterable[str] | Iterator[str], size: int) -> float:
    """Return the mean number of different names in samples of this size."""
    every = list(names)
    return fmean(len(set(every[at : at + size])) for at in range(0, len(every) - size + 1, size))


class Kind(NamedTuple):
    """Events of one form. All deletes of a stream are one kind, as they hold only the record's place."""

    stream: str
    collection: str
    operation: str


class Pair(NamedTuple):
    """Mean bytes an event of a stream's real events, and of generated ones of the same kinds."""

    stream: str
    events: int
    real: tuple[float, float]
    ours: tuple[float, float]
    """Raw and gzipped, like `real`."""

    @property
    def ratio(self) -> float:
        """Generated over real, gzipped."""
        return self.ours[1] / self.real[1]


def by_kind(frames: Iterable[bytes]) -> dict[Kind, list[bytes]]:
    """Return the frames of each kind, in their order."""
    kinds: dict[Kind, list[bytes]] = defaultdict(list)
    for frame in frames:
        kinds[_sample_kind(frame)].append(frame)
    return kinds


def weight(samples: Sequence[Sequence[bytes]]) -> tuple[float, float]:
    """Return raw and gzipped bytes an event over samples of equal size, each gzipped alone."""
    events = sum(map(len, samples))
    raw = sum(len(frame) for sample in samples for frame in sample)
    return raw / events, sum(len(gzip.compress(b"\n".join(sample), 6)) for sample in samples) / events


def slices(frames: Sequence[bytes], size: int) -> list[Sequence[bytes]]:
    """Split frames into samples of this size, at most 200."""
    return [frames[at : at + size] for at in range(0, len(frames) - size + 1, size)][:_MOST_SAMPLES]


def pairs(real: Sequence[bytes], ours: Mapping[Kind, list[bytes]]) -> list[Pair]:
    """Compare each stream of the real events; kinds that were never generated are left out on both sides."""
    by_stream: dict[str, list[tuple[Kind, bytes]]] = defaultdict(list)
    for frame in real:
        kind = _sample_kind(frame)
        if kind in ours:
            by_stream[kind.stream].append((kind, frame))
    found = []
    for stream, chosen in sorted(by_stream.items()):
        counts = Counter(kind for kind, _ in chosen)
        samples = min(_MOST_SAMPLES, *(len(ours[kind]) // count for kind, count in counts.items()))
        alike = [
            [ours[kind][at * count + n] for kind, count in counts.items() for n in range(count)]
            for at in range(samples)
        ]
        if alike:
            found.append(Pair(stream, len(chosen), weight([[frame for _, frame in chosen]]), weight(alike)))
    return found


def _sample_kind(frame: bytes) -> Kind:
    event = json.loads(frame)
    if event["kind"] != "commit":
        return Kind(KINDS[event["kind"]], "", "")
    collection, operation = event["commit"]["collection"], event["commit"]["operation"]
    return Kind(STREAMS.get(collection, "records"), "" if operation == "delete" else collection, operation)
