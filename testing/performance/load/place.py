"""What Locust is told, in a file: where everything is and which course to run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from testing.performance.load.plan import Shape, Stage

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Addresses are of this machine. The file is readable by its owner only: it holds Redis' password."""

    control: str
    """The fake host's control socket."""
    redis_url: str
    archive: str | None
    """Where the archive can be read while it is written; None where it cannot."""
    shape: Shape
    table: str
    """Where to leave Locust's table, without its `.json`."""
    patience: float
    """Seconds that an event may take to Redis, and to Parquet."""
    is_driven: bool = True
    """Whether the users set the host's rate; False where the host has its own rhythm."""
    reads: bool = True
    pushes: bool = True

    def write(self, path: Path) -> None:
        """Write it for the owner's eyes only."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Place:
        """Read what `write` wrote."""
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        shape = told.pop("shape")
        stages = tuple(Stage(*stage) for stage in shape.pop("stages"))
        return cls(shape=Shape(stages=stages, **shape), **told)
