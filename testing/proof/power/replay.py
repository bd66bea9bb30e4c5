"""Applies traced system calls to the model of a disk, which stands for one watched folder."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from testing.proof.power.disk import Directory, File
from testing.proof.power.strace import decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from testing.proof.power.disk import Node
    from testing.proof.power.strace import Call

_HEX = r"((?:\\x[0-9a-f]{2})*)"
_NAMED = re.compile(rf'(?:(?:AT_FDCWD|\d+)<{_HEX}>, )?"{_HEX}"')
_DATA = re.compile(rf'"{_HEX}"')
_FD = re.compile(r"\d+")


class UnmodelledError(Exception):
    """A call on a watched file that the model does not implement."""


@dataclass
class _Open:
    """An open file or directory."""

    node: Node
    appends: bool
    offset: int = 0


@dataclass
class Replay:
    """The disk of one folder (an absolute path without links), and the files that are open there."""

    folder: Path
    disk: Directory
    _cwd: Path = Path("/")
    _tables: dict[int, dict[int, _Open]] = field(default_factory=dict)
    """Open files by process and descriptor; threads share a table."""
    _syncs: dict[int, tuple[Node, int]] = field(default_factory=dict)
    """Syncs in progress by thread, and the mark at which each began."""
    _closing: set[int] = field(default_factory=set)

    def play(self, calls: Iterable[Call]) -> None:
        """Apply the calls of one process, its threads and children. Raises UnmodelledError."""
        watched = encoded(str(self.folder))
        actions: dict[str, Callable[[Call], None]] = {
            "chdir": self._change_directory,
            "open": self._open,
            "openat": self._open,
            "close": self._close,
            "clone": self._clone,
            "clone3": self._clone,
            "lseek": self._seek,
            "write": self._write,
            "writev": self._write,
            "pwrite64": self._write_at,
            "ftruncate": self._truncate,
            "truncate": self._truncate_by_name,
            "fsync": self._sync,
            "fdatasync": self._sync,
            "mkdir": self._make_directory,
            "rename": self._rename,
            "renameat": self._rename,
            "renameat2": self._rename,
            "link": self._link,
            "linkat": self._link,
            "unlink": self._unlink,
            "unlinkat": self._unlink,
            "mmap": self._map,
            # Starts writing without any guarantee.
            "sync_file_range": lambda _: None,
        }
        for call in calls:
            if call.begins:
                if call.name in ("fsync", "fdatasync"):
                    self._begin_sync(call)
                elif call.name == "close":
                    # Before it returns, another thread may already get the same descriptor.
                    self._close(call)
                    self._closing.add(call.process)
            elif call.name == "close" and call.process in self._closing:
                self._closing.remove(call.process)
            elif call.name in actions:
                actions[call.name](call)
            elif watched in call.arguments or any(self._paths(call)):
                raise _unmodelled(call)

    # Names.

    def _open(self, call: Call) -> None:
        (path,) = self._paths(call)
        if path is None:
            return
        node = self._find(path)
        if node is None and "O_CREAT" in call.arguments:
            node = File()
            self._directory(path.parent).change({path.name: node})
        if node is None:
            raise _unmodelled(call)
        if isinstance(node, File) and "O_TRUNC" in call.arguments:
            node.resize(0)
        self._table(call)[call.result] = _Open(node, "O_APPEND" in call.arguments)

    def _make_directory(self, call: Call) -> None:
        (path,) = self._paths(call)
        if path is not None:
            self._directory(path.parent).change({path.name: Directory()})

    def _rename(self, call: Call) -> None:
        old, new = self._paths(call)
        if old is None and new is None:
            return
        if old is None or new is None or "EXCHANGE" in call.arguments:
            raise _unmodelled(call)
        node = self._find(old)
        source, target = self._directory(old.parent), self._directory(new.parent)
        if source is target:
            target.change({old.name: None, new.name: node})
        else:
            target.change({new.name: node})
            source.change({old.name: None})

    def _link(self, call: Call) -> None:
        old, new = self._paths(call)
        if old is not None and new is not None:
            self._directory(new.parent).change({new.name: self._find(old)})

    def _unlink(self, call: Call) -> None:
        (path,) = self._paths(call)
        if path is not None:
            self._directory(path.parent).change({path.name: None})

    def _change_directory(self, call: Call) -> None:
        (found,) = _NAMED.findall(call.arguments)
        self._cwd = self._cwd / os.fsdecode(decoded(found[1]))

    # Contents.

    def _write(self, call: Call) -> None:
        held = self._held(call)
        if held is None:
            return
        data = b"".join(decoded(text) for text in _DATA.findall(call.arguments))[: call.result]
        if held.appends:
            held.offset = _file(held, call).size
        _file(held, call).write(held.offset, data)
        held.offset += len(data)

    def _write_at(self, call: Call) -> None:
        held = self._held(call)
        if held is not None:
            (text,) = _DATA.findall(call.arguments)
            offset = int(call.arguments.rpartition(", ")[2])
            _file(held, call).write(offset, decoded(text)[: call.result])

    def _truncate(self, call: Call) -> None:
        held = self._held(call)
        if held is not None:
            _file(held, call).resize(int(call.arguments.rpartition(", ")[2]))

    def _truncate_by_name(self, call: Call) -> None:
        (path,) = self._paths(call)
        if path is not None:
            node = self._find(path)
            if not isinstance(node, File):
                raise _unmodelled(call)
            node.resize(int(call.arguments.rpartition(", ")[2]))

    def _seek(self, call: Call) -> None:
        held = self._held(call)
        if held is not None:
            held.offset = call.result

    def _map(self, call: Call) -> None:
        shared = "MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments
        if shared and encoded(str(self.folder)) in call.arguments:
            raise _unmodelled(call)

    def _begin_sync(self, call: Call) -> None:
        held = self._held(call)
        if held is not None:
            self._syncs[call.process] = (held.node, held.node.mark())

    def _sync(self, call: Call) -> None:
        held = self._held(call)
        if held is not None:
            node, mark = self._syncs.pop(call.process, (held.node, held.node.mark()))
            node.sync(mark)

    # Descriptors.

    def _clone(self, call: Call) -> None:
        mine = self._table(call)
        self._tables[call.result] = mine if "CLONE_FILES" in call.arguments else dict(mine)

    def _close(self, call: Call) -> None:
        self._table(call).pop(_descriptor(call), None)

    def _table(self, call: Call) -> dict[int, _Open]:
        # A thread may make calls before its clone returns; it belongs to the first process.
        first = next(iter(self._tables.values()), {})
        return self._tables.setdefault(call.process, first)

    def _held(self, call: Call) -> _Open | None:
        held = self._table(call).get(_descriptor(call))
        if held is None and call.arguments.partition(",")[0].find(encoded(f"{self.folder}/")) >= 0:
            raise _unmodelled(call)
        return held

    # Paths, relative to the folder; None for those outside.

    def _paths(self, call: Call) -> list[Path | None]:
        found = []
        for base, name in _NAMED.findall(call.arguments):
            start = Path(os.fsdecode(decoded(base))) if base else self._cwd
            path = Path(os.path.normpath(start / os.fsdecode(decoded(name))))
            inside = path.is_relative_to(self.folder)
            found.append(path.relative_to(self.folder) if inside else None)
        return found

    def _find(self, path: Path) -> Node | None:
        node: Node | None = self.disk
        for name in path.parts:
            node = node.now.get(name) if isinstance(node, Directory) else None
        return node

    def _directory(self, path: Path) -> Directory:
        node = self._find(path)
        if not isinstance(node, Directory):
            raise UnmodelledError(f"{path} is no directory of the model")
        return node


def _descriptor(call: Call) -> int:
    found = _FD.match(call.arguments)
    return -1 if found is None else int(found[0])


def _file(held: _Open, call: Call) -> File:
    if not isinstance(held.node, File):
        raise _unmodelled(call)
    return held.node


def _unmodelled(call: Call) -> UnmodelledError:
    return UnmodelledError(f"{call.name}({call.arguments[:400]}) = {call.result}")
