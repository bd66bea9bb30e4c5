"""Pure: a filesystem that promises what POSIX promises and no more, so that a power cut can be tried on it.

A file keeps what was synced; of the changes after that, any beginning may be there. A directory keeps the
entries it had when it was synced; of each later create, rename and unlink it may know or not, in no order.
No journal orders one file after another, as ext4's does: what holds here holds there too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from pathlib import Path


class Mode(StrEnum):
    """What becomes of the changes that nobody synced."""

    NOTHING = "nothing"
    """None of them is there."""
    NAMES = "names"
    """Every create, rename and unlink is there, no content: the file of length 0 under its final name."""
    DICE = "dice"
    """Each entry by a throw of the dice; of each content a beginning of any length."""


@dataclass
class Taken:
    """What a power cut took away."""

    bytes: int = 0
    """Written and not synced."""
    entries: int = 0
    """Creates, renames and unlinks in directories that were not synced since."""

    def __add__(self, other: Taken) -> Taken:
        return Taken(self.bytes + other.bytes, self.entries + other.entries)


class Write(NamedTuple):
    """Bytes at an offset."""

    offset: int
    data: bytes


class Resize(NamedTuple):
    """Cut off, or filled up with zeros."""

    size: int


@dataclass(eq=False)
class File:
    """The content of a file, apart from its names."""

    synced: bytearray = field(default_factory=bytearray)
    size: int = 0
    pending: list[Write | Resize] = field(default_factory=list)
    _dropped: int = 0

    def write(self, offset: int, data: bytes) -> None:
        """Write; not synced."""
        self.pending.append(Write(offset, data))
        self.size = max(self.size, offset + len(data))

    def resize(self, size: int) -> None:
        """Truncate or extend; not synced."""
        if size != self.size:
            self.pending.append(Resize(size))
            self.size = size

    def mark(self) -> int:
        """Return the moment at which a sync begins."""
        return self._dropped + len(self.pending)

    def sync(self, mark: int) -> None:
        """Make durable what was there at the mark."""
        count = max(0, mark - self._dropped)
        for change in self.pending[:count]:
            _apply(self.synced, change)
        del self.pending[:count]
        self._dropped += count

    def survivor(self, mode: Mode, dice: random.Random, taken: Taken) -> bytes:
        """Return what a power cut leaves, and count what it takes."""
        left = bytearray(self.synced)
        written = sum(len(change.data) for change in self.pending if isinstance(change, Write))
        # At most all but the last byte: a cut that takes nothing shows nothing.
        kept = dice.randrange(written) if mode is Mode.DICE and written else 0
        taken.bytes += written - kept
        for change in self.pending:
            if kept <= 0:
                break
            if isinstance(change, Write):
                _apply(left, Write(change.offset, change.data[:kept]))
                kept -= len(change.data)
            else:
                _apply(left, change)
        return bytes(left)


@dataclass(eq=False)
class Directory:
    """Entries by name."""

    now: dict[str, Node] = field(default_factory=dict)
    synced: dict[str, Node] = field(default_factory=dict)
    pending: list[dict[str, Node | None]] = field(default_factory=list)
    """Changes of one or (a rename within) two entries, each whole or not at all; None: the name is gone."""
    _dropped: int = 0

    def change(self, entries: dict[str, Node | None]) -> None:
        """Add, replace and remove entries; not synced."""
        _enter(self.now, entries)
        self.pending.append(entries)

    def mark(self) -> int:
        """Return the moment at which a sync begins."""
        return self._dropped + len(self.pending)

    def sync(self, mark: int) -> None:
        """Make durable what was there at the mark."""
        count = max(0, mark - self._dropped)
        for entries in self.pending[:count]:
            _enter(self.synced, entries)
        del self.pending[:count]
        self._dropped += count

    def survivor(self, mode: Mode, dice: random.Random, taken: Taken) -> dict[str, Node]:
        """Return the entries that a power cut leaves, and count those that it takes."""
        left = dict(self.synced)
        for entries in self.pending:
            if mode is Mode.NAMES or (mode is Mode.DICE and dice.random() < 0.5):
                _enter(left, entries)
            else:
                taken.entries += 1
        return left


Node = File | Directory


def scanned(folder: Path) -> Directory:
    """Return the model of a folder all of which is durable."""
    directory = Directory()
    for path in folder.iterdir():
        if path.is_dir():
            directory.now[path.name] = scanned(path)
        else:
            content = bytearray(path.read_bytes())
            directory.now[path.name] = File(content, len(content))
    directory.synced = dict(directory.now)
    return directory


def write_survivors(directory: Directory, folder: Path, mode: Mode, dice: random.Random) -> Taken:
    """Write what a power cut leaves into an empty folder; returns what it took."""
    taken = Taken()
    for name, node in sorted(directory.survivor(mode, dice, taken).items()):
        if isinstance(node, File):
            (folder / name).write_bytes(node.survivor(mode, dice, taken))
        else:
            (folder / name).mkdir()
            taken += write_survivors(node, folder / name, mode, dice)
    return taken


def _apply(content: bytearray, change: Write | Resize) -> None:
    if isinstance(change, Write):
        content.extend(bytes(max(0, change.offset - len(content))))
        content[change.offset : change.offset + len(change.data)] = change.data
    else:
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))


def _enter(directory: dict[str, Node], entries: dict[str, Node | None]) -> None:
    for name, node in entries.items():
        if node is None:
            directory.pop(name, None)
        else:
            directory[name] = node
