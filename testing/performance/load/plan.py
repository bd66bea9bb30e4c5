"""The shapes of load (stages of users for some seconds), and the plan of one run for Locust."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


NETWORK = 500.0
"""Events per second of the network, rounded up (478/s on 2026-07-04)."""
PLANNED = 94.0
"""8.1 million events a day."""
STEADY = 100_000 / 60
REPLAY = 5_000.0
"""The most that a v1 host sends to one address: the rate of a replay."""
MINUTE = 60.0
HOUR = 3600.0


class Stage(NamedTuple):
    """A number of users for some seconds; each user is a share of the firehose."""

    seconds: float
    users: int


@dataclass(frozen=True)
class Shape:
    """A course of load. Rates are per second of wall time."""

    name: str
    stages: tuple[Stage, ...]
    share: float
    """Events per second of one user."""
    spike: int | None = None
    """Index of the stage that is a spike, from which the pipeline must recover."""
    finds_knee: bool = False
    """Whether the run ends early, once the pipeline is far behind."""

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def peak(self) -> float:
        """The highest rate in events per second."""
        return max(stage.users for stage in self.stages) * self.share

    @property
    def events(self) -> float:
        """Number of events."""
        return sum(stage.seconds * stage.users for stage in self.stages) * self.share

    def begins(self, stage: int) -> float:
        """Return the start of a stage in seconds."""
        return sum(one.seconds for one in self.stages[:stage])

    def users_at(self, second: float) -> int | None:
        """Return the number of users at a time; None after the end."""
        ends = accumulate(stage.seconds for stage in self.stages)
        return next((one.users for one, end in zip(self.stages, ends, strict=True) if second < end), None)

    def rate_at(self, second: float) -> float:
        """Return the rate at a time; 0 after the end."""
        return (self.users_at(second) or 0) * self.share

    def scaled(self, seconds: float | None, rate: float | None) -> Shape:
        """Return the shape scaled to another duration and another rate at its peak."""
        slower = 1.0 if seconds is None else seconds / self.seconds
        share = self.share if rate is None else self.share * rate / self.peak
        return replace(
            self,
            stages=tuple(Stage(stage.seconds * slower, stage.users) for stage in self.stages),
            share=share,
        )


def _even(name: str, seconds: float, rate: float, users: int) -> Shape:
    return Shape(name, (Stage(seconds, users),), rate / users)


SHAPES = {
    shape.name: shape
    for shape in (
        _even("planned", 10 * MINUTE, PLANNED, 2),
        _even("steady", 10 * MINUTE, STEADY, 10),
        _even("replay", 10 * MINUTE, REPLAY, 10),
        _even("soak", 4 * HOUR, NETWORK, 5),
        Shape(
            "spike",
            (Stage(2 * MINUTE, 2), Stage(MINUTE, 20), Stage(7 * MINUTE, 2)),
            NETWORK / 2,
            spike=1,
        ),
        Shape("ramp", tuple(Stage(30.0, users) for users in range(1, 21)), 1_000.0, finds_knee=True),
    )
}
"""The shapes by name, with their default durations."""


@dataclass(frozen=True)
class RunPlan:
    """One run as Locust reads it from a file, which only its owner can read: it holds Redis' password."""

    control: str
    """Address of the fake host's control socket."""
    redis_url: str
    archive: str | None
    """Root of the archive while it is written; None: it cannot be read."""
    shape: Shape
    table: str
    """Path for Locust's table, without `.json`."""
    timeout: float
    """Seconds within which an event must reach Redis, and Parquet."""
    is_driven: bool = True
    """Whether the users set the host's rate; False if the host has a rhythm."""
    reads: bool = True
    pushes: bool = True

    def write(self, path: Path) -> None:
        """Write the file, readable by its owner only."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> RunPlan:
        """Read the file."""
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        shape = fields.pop("shape")
        stages = tuple(Stage(*stage) for stage in shape.pop("stages"))
        return cls(shape=Shape(stages=stages, **shape), **fields)
