"""The demo's events: generated from a seed, or read from a file. Both can be computed again for the proof."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from testing.events import HostView, Traffic
from testing.proof.audit.canonical import identity, parse, stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAST_SECONDS_FOR_WITHHELD = 45.0
"""Events that a replay withholds are read again some 20 s later; shorter demos end before that."""
LONGEST_BACKLOG_SECONDS = 12.0
UNLIMITED_SECONDS = "1e9"


class ScheduledFault(NamedTuple):
    """Control commands for the fake host, sent once a share of the traffic is pushed."""

    after: float
    """Share of all events, 0 to 1."""
    commands: tuple[tuple[str, dict[str, Any]], ...]
    """Commands of the fake's control socket."""
    description: str


@dataclass(frozen=True)
class Generated:
    """`seconds` of generated traffic at `rate` events a second, part of it already past at the start."""

    seconds: float
    rate: float
    seed: int

    @property
    def events(self) -> int:
        """Number of events."""
        return max(1, int(self.seconds * self.rate))

    @property
    def rejects(self) -> int:
        """Number of frames that must be rejected."""
        return 0

    @property
    def backlog(self) -> float:
        """Seconds of the traffic that are past at the start."""
        return min(LONGEST_BACKLOG_SECONDS, self.seconds / 5)

    def host_options(self) -> dict[str, str]:
        """Return the fake host's options."""
        return {
            "rate": str(self.rate),
            "events": str(self.events),
            "seed": str(self.seed),
            "backlog": str(self.backlog),
        }

    def start_us(self) -> int | None:
        """Return the archive's start; None: just before the host's first event."""
        return None

    def faults(self) -> list[ScheduledFault]:
        """Return the faults to inject."""
        first: list[tuple[str, dict[str, Any]]] = [("hang_up", {"code": 1006})]
        description = "the host cuts the connection (1006)"
        if self.seconds >= LEAST_SECONDS_FOR_WITHHELD:
            first.insert(0, ("cutover", {"drop": 0.1, "late": 0.1}))
            description += " and withholds a tenth of the events of the replay's last second"
        second = ("hang_up", {"code": 1001, "reason": "server shutting down"})
        return [
            ScheduledFault(1 / 3, tuple(first), description),
            ScheduledFault(2 / 3, (second,), "the host closes the connection (1001)"),
        ]

    def truth(self, first_us: int) -> Iterator[tuple[str, bytes]]:
        """Yield every event with its stream, computed from the seed, independently of the host."""
        traffic = Traffic(self.seed, first_us, self.rate, self.events)
        for frame in traffic.truth(HostView()):
            yield stream_of(frame), frame

    def __str__(self) -> str:
        return f"{self.events:,} generated events"


@dataclass(frozen=True)
class Recorded:
    """A JSON-lines file of events, sent byte for byte in the file's order, `rate` lines a second."""

    path: Path
    rate: float

    @property
    def events(self) -> int:
        """Number of distinct events in the file."""
        return len(self._found[0])

    @property
    def backlog(self) -> float:
        """Nothing is past at the start."""
        return 0.0

    @property
    def rejects(self) -> int:
        """Number of distinct lines that are no event."""
        return len(self._found[1])

    def host_options(self) -> dict[str, str]:
        """Return the fake host's options."""
        return {"file": str(self.path.resolve()), "rate": str(self.rate), "look-back": UNLIMITED_SECONDS}

    def start_us(self) -> int | None:
        """Return the archive's start: just before the file's first event."""
        return max(10**15, min(self._found[2], default=10**15) - 1_000_000)

    def faults(self) -> list[ScheduledFault]:
        """Return none: a replay after a disconnect is ordered by time, a file need not be."""
        return []

    def truth(self, first_us: int) -> Iterator[tuple[str, bytes]]:
        """Yield every line with its stream; `first_us` is not used."""
        del first_us
        for frame in self._lines:
            yield stream_of(frame), frame

    def __str__(self) -> str:
        return f"the {len(self._lines):,} lines of {self.path}"

    @cached_property
    def _lines(self) -> list[bytes]:
        return [line for line in self.path.read_bytes().split(b"\n") if line]

    @cached_property
    def _found(self) -> tuple[set[tuple[str, ...]], set[bytes], list[int]]:
        """Identities, rejects and times of the lines."""
        identities: set[tuple[str, ...]] = set()
        rejects: set[bytes] = set()
        times: list[int] = []
        for frame in self._lines:
            if stream_of(frame) == "rejects":
                rejects.add(frame)
                continue
            event = parse(frame)
            identities.add(tuple(map(str, identity(event))))
            times.append(event["time_us"])
        return identities, rejects, times


Source = Generated | Recorded
