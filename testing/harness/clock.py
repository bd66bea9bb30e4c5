"""A wrong clock for chosen processes, by libfaketime; the machine's own clock is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PLACES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1")


class NoClockError(Exception):
    """There is no libfaketime here; the message names the mend."""


def find_library() -> Path:
    """Return libfaketime."""
    for place in PLACES:
        for path in Path("/").glob(place.lstrip("/")):
            return path
    raise NoClockError("libfaketime is not installed (apt-get install libfaketime, or make engine)")


@dataclass
class WrongClock:
    """Off by as much as `file` says, which every process that was given `settings` reads at each look."""

    file: Path
    zone: str

    def settings(self) -> dict[str, str]:
        """Return the environment of a process whose wall clock this is; its monotonic clock stays true."""
        return {
            "LD_PRELOAD": str(find_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
            "TZ": self.zone,
        }

    def step(self, seconds: float) -> None:
        """Set it so far before (below 0) or after the true time, at once."""
        staged = self.file.with_suffix(".new")
        staged.write_text(f"{seconds:+.0f}\n", encoding="ascii")
        staged.replace(self.file)
