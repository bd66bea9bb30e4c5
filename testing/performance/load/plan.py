"""What a shape is: stages of so many events a second for so long. Pure; rates are per wall second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple

NETWORK = 500.0
"""Events a second: today's network, rounded up (478/s on 2026-07-04)."""
PLANNED = 94.0
"""8.1 million a day."""
STEADY = 100_000 / 60
REPLAY = 5_000.0
"""What a v1 host sends at most to one address, so what a replay comes at."""
MINUTE = 60.0
HOUR = 3600.0


class Stage(NamedTuple):
    """So many users for so long; each user is a share of the firehose."""

    seconds: float
    users: int


@dataclass(frozen=True)
class Shape:
    """A course of load."""

    name: str
    stages: tuple[Stage, ...]
    share: float
    """Events a second that one user stands for."""
    spike: int | None = None
    """Which stage is the spike, from which the pipeline must recover."""
    finds_knee: bool = False
    """Ends early, once the pipeline is hopelessly behind."""

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def peak(self) -> float:
        """The most events a second."""
        return max(stage.users for stage in self.stages) * self.share

    @property
    def events(self) -> float:
        """How many events that makes."""
        return sum(stage.seconds * stage.users for stage in self.stages) * self.share

    def begins(self, stage: int) -> float:
        """Return the second at which a stage begins."""
        return sum(one.seconds for one in self.stages[:stage])

    def users_at(self, second: float) -> int | None:
        """Return how many users there should be; None after the end."""
        ends = accumulate(stage.seconds for stage in self.stages)
        return next((one.users for one, end in zip(self.stages, ends, strict=True) if second < end), None)

    def rate_at(self, second: float) -> float:
        """Return the events a second that are offered; 0 after the end."""
        return (self.users_at(second) or 0) * self.share

    def scaled(self, seconds: float | None, rate: float | None) -> Shape:
        """Return the same course in so many seconds, and with so many events a second at its peak."""
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
"""By name, as long as they are by default."""
