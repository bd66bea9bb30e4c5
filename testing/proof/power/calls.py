"""Reads what strace writes: the system calls that change files, in the order in which they came back."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

import psutil

from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACED = (
    "open,openat,creat,close,lseek,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,"
    "fsync,fdatasync,sync,syncfs,sync_file_range,mkdir,mkdirat,rmdir,rename,renameat,renameat2,link,linkat,"
    "symlink,symlinkat,unlink,unlinkat,chdir,fchdir,mmap,copy_file_range,sendfile,splice,clone,clone3,fork,"
    "vfork"
)
LONGEST = 1 << 28
END_SECONDS = 20.0

_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"


class Call(NamedTuple):
    """One system call; `begins` where it has only begun, for it may then be carried out at any moment."""

    process: int
    name: str
    arguments: str
    result: int
    begins: bool = False


def words(program: str, trace: Path) -> tuple[str, ...]:
    """Return the command that runs another under strace and appends its calls to `trace`.

    The tracer is the grandchild: who starts this has the traced process as its own child.
    """
    # fmt: off
    return (
        program, "-DDD", "-f", "-y", "-xx", "-q", "-s", str(LONGEST), "-A", "-o", str(trace),
        "-e", f"trace={TRACED}",
    )
    # fmt: on


def injecting(program: str, trace: Path, call: str, fault: str) -> tuple[str, ...]:
    """Return the command that runs another and makes some of its calls fail, as strace's `inject` says."""
    return (program, "-DDD", "-f", "-q", "-o", str(trace), "-e", f"trace={call}", f"--inject={call}:{fault}")


def wait_whole(trace: Path) -> None:
    """Wait until nobody writes this trace any more; whoever was traced has ended."""
    wait_for(lambda: not _tracers(trace), END_SECONDS, f"the end of {trace}")


def read_calls(trace: Path) -> Iterator[Call]:
    """Yield the calls that succeeded, and before a sync that others overtook, its beginning."""
    begun: dict[str, str] = {}
    with trace.open(encoding="ascii", errors="strict") as file:
        for line in file:
            found = _LINE.match(line.rstrip("\n"))
            if found is None or found[2].startswith(("+++", "---")):
                continue
            process, said = found.groups()
            if said.endswith(_UNFINISHED):
                begun[process] = said.removesuffix(_UNFINISHED)
                name, _, arguments = begun[process].partition("(")
                yield Call(int(process), name, arguments, 0, begins=True)
                continue
            resumed = _RESUMED.match(said)
            if resumed is not None:
                said = begun.pop(process) + resumed[2]
            call = _CALL.match(said)
            if call is not None and call[3] != "?" and not call[3].startswith("-"):
                yield Call(int(process), call[1], call[2], int(call[3], 0))


def decoded(text: str) -> bytes:
    r"""Return the bytes of `\x41\x42`."""
    return bytes.fromhex(text.replace("\\x", ""))


def encoded(text: str) -> str:
    """Return a path as strace writes it."""
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(text))


def _tracers(trace: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if {"-DDD", str(trace)} <= set(process.info["cmdline"] or ())
    ]
