"""What a client asked for and what it got, for tests to read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Connection:
    """One connect to /subscribe, refused ones included."""

    path: str
    query: dict[str, list[str]]
    refused: int | None = None
    """The HTTP status it was turned away with."""
    sent: int = 0
    """Frames, planted and repeated ones included."""
    close_code: int | None = None
    """1006 where there was no close frame; None while open."""
    caught_up: bool = False
    """It has reached the live tail at some time."""
    dropped: list[int] = field(default_factory=list)
    """Events that a cutover kept from it."""
    late: list[int] = field(default_factory=list)
    """Events that a cutover sent it out of order."""

    @property
    def cursor(self) -> str | None:
        """The cursor as it was sent."""
        return self.query.get("cursor", [None])[0]
