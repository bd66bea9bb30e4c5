"""Runs programs under strace and parses its output: the calls that change files, in order of return."""

from __future__ import annotations

import os
import re
import shutil
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
LONGEST_STRING = 1 << 28
END_SECONDS = 20.0

_LINE = re.compile(r"(\d+) +(.*)", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)(.*)", re.DOTALL)
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"


class NoTracerError(Exception):
    """strace is missing; the message names the remedy."""


def find_tracer() -> str:
    """Return the path of strace."""
    path = shutil.which("strace")
    if path is None:
        raise NoTracerError("strace is not installed (apt-get install strace); it records what was synced")
    return path


class Call(NamedTuple):
    """One system call; with `begins` it has begun and not returned, and may take effect at any time."""

    process: int
    name: str
    arguments: str
    result: int
    begins: bool = False


def tracing(program: str, trace: Path) -> tuple[str, ...]:
    """Return the words before a command that run it under strace and append its calls to `trace`.

    The tracer is a grandchild, so that the caller has the traced process as its own child.
    """
    # fmt: off
    return (
        program, "-DDD", "-f", "-y", "-xx", "-q", "-s", str(LONGEST_STRING), "-A", "-o", str(trace),
        "-e", f"trace={TRACED}",
    )
    # fmt: on


def injecting(program: str, trace: Path, call: str, fault: str) -> tuple[str, ...]:
    """Return the words before a command that make some of its calls fail, as strace's `--inject` says."""
    return (program, "-DDD", "-f", "-q", "-o", str(trace), "-e", f"trace={call}", f"--inject={call}:{fault}")


def wait_whole(trace: Path) -> None:
    """Wait until the tracer has ended; the traced process has ended before."""
    wait_for(lambda: not _tracers(trace), END_SECONDS, f"the end of {trace}")


def read_calls(trace: Path) -> Iterator[Call]:
    """Yield the calls that succeeded, and the beginning of each call during which others returned."""
    begun: dict[str, str] = {}
    with trace.open(encoding="ascii", errors="strict") as file:
        for line in file:
            found = _LINE.match(line.rstrip("\n"))
            if found is None or found[2].startswith(("+++", "---")):
                continue
            process, text = found.groups()
            if text.endswith(_UNFINISHED):
                begun[process] = text.removesuffix(_UNFINISHED)
                name, _, arguments = begun[process].partition("(")
                yield Call(int(process), name, arguments, 0, begins=True)
                continue
            resumed = _RESUMED.match(text)
            if resumed is not None:
                text = begun.pop(process) + resumed[2]
            call = _CALL.match(text)
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
