"""A wrong clock for single processes, by libfaketime; the machine's clock is not changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PATTERNS = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib*/faketime/libfaketime.so.1")


class NoClockError(Exception):
    """libfaketime is not installed; the message names the remedy."""


def find_library() -> Path:
    """Return the path of libfaketime; raises NoClockError."""
    for pattern in PATTERNS:
        for path in Path("/").glob(pattern.lstrip("/")):
            return path
    raise NoClockError("libfaketime is not installed (apt-get install libfaketime, or make engine)")


@dataclass
class WrongClock:
    """A clock with the offset in `file`, which processes started with `settings` read at each call."""

    file: Path
    zone: str

    def settings(self) -> dict[str, str]:
        """Return environment variables that give a process this wall clock, but the true monotonic one."""
        return {
            "LD_PRELOAD": str(find_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
            "TZ": self.zone,
        }

    def step(self, seconds: float) -> None:
        """Set the offset in seconds; a negative one is before the true time."""
        staged = self.file.with_suffix(".new")
        staged.write_text(f"{seconds:+.0f}\n", encoding="ascii")
        staged.replace(self.file)
