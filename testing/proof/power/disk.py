"""A model of a filesystem with the guarantees of POSIX and no others, on which a power cut can be applied.

A file keeps its synced content and any prefix of the later changes. A directory keeps its synced entries and
any subset of the later creates, renames and unlinks. Real filesystems guarantee more (ext4's journal orders
files), so what the model keeps they keep too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from pathlib import Path


class Mode(StrEnum):
    """Which of the unsynced changes a power cut keeps."""

    NOTHING = "nothing"
    """None."""
    NAMES = "names"
    """Every create, rename and unlink, but no content: a file of length 0 under its final name."""
    RANDOM = "random"
    """Each change of an entry with probability 1/2, and of each content a prefix of random length."""


@dataclass
class Discarded:
    """The changes that a power cut discarded."""

    bytes: int = 0
    """Bytes written and not synced."""
    entries: int = 0
    """Creates, renames and unlinks in directories that were not synced afterwards."""

    def __add__(self, other: Discarded) -> Discarded:
        return Discarded(self.bytes + other.bytes, self.entries + other.entries)


class Write(NamedTuple):
    """A write of bytes at an offset."""

    offset: int
    data: bytes


class Resize(NamedTuple):
    """A truncation, or an extension with zeros."""

    size: int


@dataclass(eq=False)
class File:
    """The content of a file, without its names."""

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
        """Return the position in the changes at which a sync begins."""
        return self._dropped + len(self.pending)

    def sync(self, mark: int) -> None:
        """Make the changes before the mark durable."""
        count = max(0, mark - self._dropped)
        for change in self.pending[:count]:
            _apply(self.synced, change)
        del self.pending[:count]
        self._dropped += count

    def survivor(self, mode: Mode, rng: random.Random, discarded: Discarded) -> bytes:
        """Return the content after a power cut, and count the discarded bytes."""
        left = bytearray(self.synced)
        written = sum(len(change.data) for change in self.pending if isinstance(change, Write))
        # At least one byte is discarded: a power cut without effect proves nothing.
        kept = rng.randrange(written) if mode is Mode.RANDOM and written else 0
        discarded.bytes += written - kept
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
    """A directory: its entries by name."""

    now: dict[str, Node] = field(default_factory=dict)
    synced: dict[str, Node] = field(default_factory=dict)
    pending: list[dict[str, Node | None]] = field(default_factory=list)
    """Changes of one entry, or two in a rename; each is atomic; None removes the name."""
    _dropped: int = 0

    def change(self, entries: dict[str, Node | None]) -> None:
        """Add, replace and remove entries; not synced."""
        _enter(self.now, entries)
        self.pending.append(entries)

    def mark(self) -> int:
        """Return the position in the changes at which a sync begins."""
        return self._dropped + len(self.pending)

    def sync(self, mark: int) -> None:
        """Make the changes before the mark durable."""
        count = max(0, mark - self._dropped)
        for entries in self.pending[:count]:
            _enter(self.synced, entries)
        del self.pending[:count]
        self._dropped += count

    def survivor(self, mode: Mode, rng: random.Random, discarded: Discarded) -> dict[str, Node]:
        """Return the entries after a power cut, and count the discarded changes."""
        left = dict(self.synced)
        for entries in self.pending:
            if mode is Mode.NAMES or (mode is Mode.RANDOM and rng.random() < 0.5):
                _enter(left, entries)
            else:
                discarded.entries += 1
        return left


Node = File | Directory


def scanned(folder: Path) -> Directory:
    """Return the model of a folder whose content is all durable."""
    directory = Directory()
    for path in folder.iterdir():
        if path.is_dir():
            directory.now[path.name] = scanned(path)
        else:
            content = bytearray(path.read_bytes())
            directory.now[path.name] = File(content, len(content))
    directory.synced = dict(directory.now)
    return directory


def write_survivors(directory: Directory, folder: Path, mode: Mode, rng: random.Random) -> Discarded:
    """Write the content after a power cut into an empty folder; returns what was discarded."""
    discarded = Discarded()
    for name, node in sorted(directory.survivor(mode, rng, discarded).items()):
        if isinstance(node, File):
            (folder / name).write_bytes(node.survivor(mode, rng, discarded))
        else:
            (folder / name).mkdir()
            discarded += write_survivors(node, folder / name, mode, rng)
    return discarded


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
