"""The fault itself: the power goes, for all of a pipeline's processes at once, and comes back.

The fake hosts live on, as the rest of the world does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testing.proof.power.calls import read_calls, wait_whole, words
from testing.proof.power.disk import Directory, Mode, Taken, scanned, write_survivors
from testing.proof.power.replay import Replay

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from testing.harness.pipeline import Pipeline


class NoTracerError(Exception):
    """Nothing here can trace system calls; the message names the mend."""


def find_tracer() -> str:
    """Return the path of strace."""
    path = shutil.which("strace")
    if path is None:
        raise NoTracerError("strace is not installed (apt-get install strace); it sees what was synced")
    return path


@dataclass
class PowerSupply:
    """Watches Redis and the writer of a pipeline from their start; its hosts run."""

    pipeline: Pipeline
    tracer: str = field(default_factory=find_tracer)
    _disks: dict[Path, Directory] = field(default_factory=dict)

    def prepare(self) -> None:
        """Configure the daemons, and let Redis make its files: its volume is in use.

        Redis never syncs the folder in which it makes `appendonlydir`. By the letter of POSIX a power cut
        may take all of a newborn volume; journals of real filesystems write the folder with the first sync.
        """
        self._watched()
        self.pipeline.redis.start()
        self.pipeline.redis.stop()
        self.pipeline.configure()

    def start(self, *, redis: tuple[str, ...] = (), writer: tuple[str, ...] = ()) -> None:
        """Start Redis, the writer and the ingester; the words are further ones for strace."""
        pipeline = self.pipeline
        self._disks = {folder: scanned(folder) for folder in self._watched()}
        for trace in self._watched().values():
            trace.unlink(missing_ok=True)
        archive, data = self._watched().values()
        pipeline.redis.under = (*words(self.tracer, data), *redis)
        pipeline.writer.under = (*words(self.tracer, archive), *writer)
        pipeline.redis.start()
        pipeline.writer.start()
        pipeline.ingester.start()

    def cut(self, mode: Mode, dice: random.Random) -> dict[str, Taken]:
        """Kill all, and leave of Redis' data and of the archive what a power cut does; returns what it took.

        Nothing runs afterwards; `start` is what happens when the power is back.
        """
        pipeline = self.pipeline
        for process in (pipeline.redis.process, pipeline.writer.process, pipeline.ingester.process):
            assert process is not None
            with contextlib.suppress(ProcessLookupError):
                # All of its group: Redis may have a child that rewrites its file.
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        pipeline.redis.process = None
        taken = {}
        for folder, trace in self._watched().items():
            wait_whole(trace)
            disk = self._disks[folder]
            Replay(folder, disk).play(read_calls(trace))
            shutil.rmtree(folder)
            folder.mkdir()
            taken[folder.name] = write_survivors(disk, folder, mode, dice)
        return taken

    def _watched(self) -> dict[Path, Path]:
        """Return the folders that are disks, and the trace of each."""
        folder = self.pipeline.folder.resolve()
        disks = {
            self.pipeline.root: folder / "writer.trace",
            folder / "redis" / "data": folder / "redis.trace",
        }
        for disk in disks:
            disk.mkdir(parents=True, exist_ok=True)
        return disks
