"""Disks of a test's own that are small, fail, or turn read-only. They are mounted, which needs root."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


DEVICE = "device"


class NoDiskError(Exception):
    """Nothing can be mounted here; the message says why."""


class SmallDisk:
    """A tmpfs at `folder` of so many MB and, if said, so many files and folders."""

    def __init__(self, folder: Path, megabytes: int, inodes: int = 0) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,nr_inodes={inodes}", "tmpfs", str(folder))

    def resize(self, megabytes: int, inodes: int = 0) -> None:
        """Make room, or take it away."""
        _run("mount", "-o", f"remount,size={megabytes}m,nr_inodes={inodes}", str(self.folder))

    def unmount(self) -> None:
        """Take it away, at once for whoever looks, even where files are open; its content is gone."""
        _run("umount", "--lazy", str(self.folder))


class FailingDisk:
    """An ext4 at `folder` whose device stops taking writes after so many MB, as a dying one does.

    The device is a sparse file on a disk that is too small for it: who syncs what does not fit is told EIO,
    and ext4 gives its journal up and refuses every write from then on.
    """

    CAPACITY_MB = 64

    def __init__(self, folder: Path, backing: Path, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._backing = SmallDisk(backing, megabytes)
        image = backing / DEVICE
        with image.open("wb") as file:
            file.truncate(self.CAPACITY_MB << 20)
        try:
            _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,nodiscard", str(image))
            self._mount(image)
        except NoDiskError:
            self._backing.unmount()
            raise

    def mend(self) -> None:
        """Rescue what the device holds to one that is whole, check it there and mount it in its place.

        Never the device itself again: as long as any mount namespace that began meanwhile, a container's say,
        has it mounted too, mounting it gives back the filesystem that has given up.
        """
        _run("umount", str(self.folder))
        self._backing.resize(2 * self.CAPACITY_MB)
        device = self._backing.folder / DEVICE
        whole = self._backing.folder / "whole"
        _run("cp", "--sparse=always", str(device), str(whole))
        _run("fsck.ext4", "-p", str(whole), fine=(0, 1))
        self._mount(whole)

    def unmount(self) -> None:
        """Take both away."""
        _run("umount", "--lazy", str(self.folder))
        self._backing.unmount()

    def _mount(self, image: Path) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", str(image), str(self.folder))


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only for everybody, meanwhile; files that are open for writing stay so."""
    # Laid over the folder: the mount below could not be changed while a lock file is open there.
    with tempfile.TemporaryDirectory() as aside:
        _run("mount", "--bind", str(folder), aside)
        try:
            _run("mount", "-o", "remount,bind,ro", aside)
            _run("mount", "--bind", aside, str(folder))
            try:
                yield
            finally:
                _run("umount", "--lazy", str(folder))
        finally:
            _run("umount", "--lazy", aside)


def _run(*words: str, fine: tuple[int, ...] = (0,)) -> None:
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NoDiskError(f"{words[0]} is not installed") from error
    if done.returncode not in fine:
        raise NoDiskError(f"{' '.join(words)}: {(done.stdout + done.stderr).strip()}")
