"""Runs a daemon under a profiler and writes which source files one event passes through.

`python -m testing.docs.event_path OUT MODULE`. A file counts if one of its functions is given a frame, an
event, a chunk, a table, a part or a part's path, as an argument or by a call that returns it. Files with only
types or constants have no such function.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import threading
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from types import FrameType

TYPES = frozenset({"Event", "PendingPush", "Push", "CommitEvent", "EncodedChunk", "Chunk", "Part"})
"""Names of our classes that carry events."""
EVENT = b'"did":"did:'
_SERVICES = str(REPOSITORY / "services")
_DEPTH = 2
_WIDTH = 4


class Tracer:
    """Collects files of services/ whose functions receive events; `sys.setprofile` takes it."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def __call__(self, frame: FrameType, kind: str, returned: object) -> None:
        """Look at the arguments of a call, and at what a call returns to its caller."""
        code = frame.f_code
        if kind == "call" and self._is_of_interest(frame):
            count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)
            if any(carries(frame.f_locals.get(name)) for name in code.co_varnames[:count]):
                self.files.add(code.co_filename)
        caller = frame.f_back
        if kind == "return" and caller is not None and self._is_of_interest(caller) and carries(returned):
            self.files.add(caller.f_code.co_filename)

    def _is_of_interest(self, frame: FrameType) -> bool:
        name = frame.f_code.co_filename
        return name.startswith(_SERVICES) and name not in self.files


def carries(value: Any, depth: int = _DEPTH) -> bool:
    """Return whether a value is, or holds, an event on its way."""
    if isinstance(value, bytes | bytearray):
        return EVENT in value
    if isinstance(value, list | tuple) and type(value).__name__ in {"list", "tuple"}:
        return depth > 0 and any(carries(one, depth - 1) for one in value[:_WIDTH])
    if isinstance(value, PurePath):
        return value.suffix == ".parquet"
    kind = type(value)
    return kind is pa.Table or (kind.__module__.startswith("services.") and kind.__name__ in TYPES)


def main(words: list[str]) -> int:
    """Run the daemon and write the files; returns the daemon's exit code."""
    out, module, *arguments = words
    sys.argv = [module, *arguments]
    tracer = Tracer()
    daemon = importlib.import_module(module)
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        return int(daemon.main())
    finally:
        sys.setprofile(None)
        found = sorted(Path(file).relative_to(REPOSITORY).as_posix() for file in tracer.files)
        Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
