"""Disks for tests that are small, fail, or become read-only. Mounting them needs root."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING

from testing.harness.programs import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


DEVICE = "device"


class NoDiskError(Exception):
    """Nothing can be mounted on this machine; the message gives the reason."""


class SmallDisk:
    """A tmpfs at `folder` with a size in MB and, if not 0, a number of inodes."""

    def __init__(self, folder: Path, megabytes: int, inodes: int = 0) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,nr_inodes={inodes}", "tmpfs", str(folder))

    def resize(self, megabytes: int, inodes: int = 0) -> None:
        """Change the size."""
        _run("mount", "-o", f"remount,size={megabytes}m,nr_inodes={inodes}", str(self.folder))

    def unmount(self) -> None:
        """Unmount it at once, even if files are open; its content is lost."""
        _run("umount", "--lazy", str(self.folder))


class FailingDisk:
    """An ext4 at `folder` whose device fails to write after a number of MB.

    The device is a sparse file on a disk that is too small for it: syncing more fails with EIO, and ext4
    aborts its journal and refuses every write from then on.
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

    def repair(self) -> None:
        """Copy the device to one with enough room, check it there, and mount the copy instead.

        The failed device itself cannot be used: while another mount namespace, a container's for example,
        has it mounted, mounting it again gives the failed filesystem.
        """
        _run("umount", str(self.folder))
        self._backing.resize(2 * self.CAPACITY_MB)
        device = self._backing.folder / DEVICE
        copy = self._backing.folder / "copy"
        _run("cp", "--sparse=always", str(device), str(copy))
        _run("fsck.ext4", "-p", str(copy), accepted=(0, 1))
        self._mount(copy)

    def unmount(self) -> None:
        """Unmount both."""
        _run("umount", "--lazy", str(self.folder))
        self._backing.unmount()

    def _mount(self, image: Path) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", str(image), str(self.folder))


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only while inside; files that are open for writing stay writable."""
    # A second bind mount over the folder: the mount itself cannot be changed while a lock file is open there.
    with tempfile.TemporaryDirectory() as overlay:
        _run("mount", "--bind", str(folder), overlay)
        try:
            _run("mount", "-o", "remount,bind,ro", overlay)
            _run("mount", "--bind", overlay, str(folder))
            try:
                yield
            finally:
                _run("umount", "--lazy", str(folder))
        finally:
            _run("umount", "--lazy", overlay)


def _run(*words: str, accepted: tuple[int, ...] = (0,)) -> None:
    try:
        done = run(*words, check=False, merged=True)
    except FileNotFoundError as error:
        raise NoDiskError(f"{words[0]} is not installed") from error
    if done.returncode not in accepted:
        raise NoDiskError(f"{' '.join(words)}: {done.stdout.strip()}")
