"""What every path is given: the events, where to work, how often, until when, and whom to tell."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from testing.performance.bench.child import ContestantError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from testing.performance.bench.frames import Frames

T = TypeVar("T")


@dataclass(frozen=True)
class Course:
    """One run of the bench."""

    frames: Frames
    folder: Path
    repeats: int
    cores: int
    seed: int
    deadline: float
    """Monotonic second after which nothing more is begun, but that each is measured once."""
    say: Callable[[str], None]
    is_long: bool = False
    """Also what takes many minutes."""

    @property
    def is_over(self) -> bool:
        """Whether no further repeat is to begin."""
        return time.monotonic() > self.deadline

    def alternate(
        self, contestants: Mapping[str, Callable[[Path], T]], tell: Callable[[T], str]
    ) -> dict[str, list[T]]:
        """Measure all contestants in turn, and again; returns what each gave, by its name.

        Each is given a new folder. One that cannot take part, or is not done in time, is told of and left out
        from then on.
        """
        found: dict[str, list[T]] = {name: [] for name in contestants}
        out: set[str] = set()
        for repeat in range(self.repeats):
            if repeat and self.is_over:
                self.say(f"the time is over: {repeat} of {self.repeats} repeats")
                break
            for name, measure in contestants.items():
                if name in out:
                    continue
                place = self.folder / "contestant"
                place.mkdir()
                try:
                    found[name].append(measure(place))
                except (ContestantError, TimeoutError) as error:
                    out.add(name)
                    self.say(f"{name}: left out, {error}")
                    continue
                finally:
                    shutil.rmtree(place)
                self.say(f"{name}, {repeat + 1} of {self.repeats}: {tell(found[name][-1])}")
        return {name: runs for name, runs in found.items() if runs}
