"""Weighs generated events against real ones: equal samples, the same kinds, bytes an event after gzip."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from testing.harness.truth import KINDS, STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MOST_SAMPLES = 200


class Kind(NamedTuple):
    """Events that look alike. Deletes of a stream are one kind: they only name where a record stood."""

    stream: str
    collection: str
    operation: str


class Pair(NamedTuple):
    """What a stream's real events weigh and what generated ones of the same kinds do: mean bytes an event."""

    stream: str
    events: int
    real: tuple[float, float]
    ours: tuple[float, float]
    """Raw and gzipped, as `real`."""

    @property
    def ratio(self) -> float:
        """Generated over real, gzipped."""
        return self.ours[1] / self.real[1]


def by_kind(frames: Iterable[bytes]) -> dict[Kind, list[bytes]]:
    """Return the frames of each kind, in their order."""
    kinds: dict[Kind, list[bytes]] = defaultdict(list)
    for frame in frames:
        kinds[_kind(frame)].append(frame)
    return kinds


def weight(samples: Sequence[Sequence[bytes]]) -> tuple[float, float]:
    """Return raw and gzipped bytes an event over samples of equal size, each gzipped for itself."""
    events = sum(map(len, samples))
    raw = sum(len(frame) for sample in samples for frame in sample)
    return raw / events, sum(len(gzip.compress(b"\n".join(sample), 6)) for sample in samples) / events


def slices(frames: Sequence[bytes], size: int) -> list[Sequence[bytes]]:
    """Return as many samples of this size as there are, at most 200."""
    return [frames[at : at + size] for at in range(0, len(frames) - size + 1, size)][:_MOST_SAMPLES]


def pairs(real: Sequence[bytes], ours: Mapping[Kind, list[bytes]]) -> list[Pair]:
    """Weigh each stream of the real events; kinds that were never generated are left out on both sides."""
    wanted: dict[str, list[tuple[Kind, bytes]]] = defaultdict(list)
    for frame in real:
        kind = _kind(frame)
        if kind in ours:
            wanted[kind.stream].append((kind, frame))
    found = []
    for stream, told in sorted(wanted.items()):
        counts = Counter(kind for kind, _ in told)
        samples = min(_MOST_SAMPLES, *(len(ours[kind]) // count for kind, count in counts.items()))
        alike = [
            [ours[kind][at * count + n] for kind, count in counts.items() for n in range(count)]
            for at in range(samples)
        ]
        if alike:
            found.append(Pair(stream, len(told), weight([[frame for _, frame in told]]), weight(alike)))
    return found


def _kind(frame: bytes) -> Kind:
    event = json.loads(frame)
    if event["kind"] != "commit":
        return Kind(KINDS[event["kind"]], "", "")
    collection, operation = event["commit"]["collection"], event["commit"]["operation"]
    return Kind(STREAMS.get(collection, "records"), "" if operation == "delete" else collection, operation)
