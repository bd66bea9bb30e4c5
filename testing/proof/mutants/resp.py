"""Redis' wire, as far as a proxy must understand it: whole commands out of a stream of bytes."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One command as it was sent."""

    words: tuple[bytes, ...]
    raw: bytes

    @property
    def name(self) -> bytes:
        """Return the command's name in capitals."""
        return self.words[0].upper()


class Commands:
    """Collects bytes and gives the commands that are complete."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, more: bytes) -> list[Command]:
        """Take in bytes; raises ValueError where they are no array of strings."""
        self._bytes += more
        found = []
        while (command := self._next()) is not None:
            found.append(command)
        return found

    def _next(self) -> Command | None:
        header = self._line(0, b"*")
        if header is None:
            return None
        count, at = header
        words = []
        for _ in range(count):
            size = self._line(at, b"$")
            if size is None or len(self._bytes) < size[1] + size[0] + 2:
                return None
            words.append(bytes(self._bytes[size[1] : size[1] + size[0]]))
            at = size[1] + size[0] + 2
        raw = bytes(self._bytes[:at])
        del self._bytes[:at]
        return Command(tuple(words), raw)

    def _line(self, at: int, kind: bytes) -> tuple[int, int] | None:
        """Return the number in the line that begins here, and where the next begins."""
        end = self._bytes.find(b"\r\n", at)
        if end < 0:
            return None
        if self._bytes[at : at + 1] != kind:
            raise ValueError(f"no {kind!r} in {bytes(self._bytes[at : at + 20])!r}")
        return int(self._bytes[at + 1 : end]), end + 2
