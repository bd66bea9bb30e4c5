"""What a run gives: all that the verdict and the report are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from testing.performance.load.plan import Shape
    from testing.performance.load.sample import Sample
    from testing.proof.audit import Audit


class Row(NamedTuple):
    """One line of Locust's table; times in milliseconds."""

    kind: str
    name: str
    requests: int
    failures: int
    per_second: float
    middle: float
    p95: float
    p99: float
    worst: float
    mean_size: float


@dataclass
class Result:
    """One run, over and done."""

    shape: Shape
    target: str
    folder: Path
    samples: list[Sample]
    """From just before the load until all was committed."""
    loaded: tuple[float, float]
    """When the load began and ended, in the samples' seconds."""
    rows: list[Row]
    audit: Audit
    planted: int
    """Frames that had to be rejected."""
    rejected: int
    """Rows of `rejects`."""
    gaps: list[tuple[str, float]]
    """Each row of `gaps`: why, and how many seconds."""
    exit_codes: dict[str, int]
    machine: dict[str, str]
    settings: dict[str, str]
    interval: float
    """Seconds between two claims."""
    began: str
    """Local time, for a person."""
    notes: list[str] = field(default_factory=list)
    restarts: int = 0
    """How often a daemon ended by itself."""
    hours: dict[str, int] = field(default_factory=dict)
    """Rows of each hour of event time; counted where the scenario is of days."""
    doubled_rows: int = 0
    """Rows beyond the first of an event, by identity; counted where no truth is known."""
    acts: dict[str, int] = field(default_factory=dict)
    """How often each thing of the scenario happened."""

    @property
    def under_load(self) -> list[Sample]:
        """The samples of the load itself."""
        return [sample for sample in self.samples if self.loaded[0] <= sample["at"] <= self.loaded[1]]

    @property
    def truth(self) -> int:
        """How many events there were."""
        return sum(
            stream.truth for name, stream in self.audit.streams.items() if name not in ("rejects", "gaps")
        )
