#!/usr/bin/env python3
"""The archive's second home: `backup copy|verify|restore FOLDER`, on the host, by timers and by hand.

Hetzner's backups of a server leave its Volume out. rclone copies the archive to the remote `archive-backup`
of /opt/archive/shared/rclone.conf: S3-compatible storage or a Storage Box. One file, for the host's Python.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

REMOTE = "archive-backup:"
NOW_THERE = "current"
ONCE_THERE = "replaced"
"""What compaction or a mistake took out of the archive is kept here for a while."""
KEPT_DAYS = 30
SAMPLE = 20
POINTERS = (".state/checkpoints/**", ".state/id", ".state/epoch")
"""Say up to where the archive is whole; they must never be newer than the parts beside them."""
NO_PARTS = (".*", ".*/**")
RCLONE_SECONDS = 20 * 3600
MAGIC = b"PAR1"


class BackupError(Exception):
    """There is no good copy; the message says why and what to do."""


@dataclass(frozen=True)
class Place:
    """Where the archive is, how rclone is told of its remote, and where figures for Prometheus go."""

    archive: Path = Path("/mnt/archive/data")
    config: Path = Path("/opt/archive/shared/rclone.conf")
    textfile: Path = Path("/var/lib/archive/textfile")

    def rclone(self, *words: str) -> str:
        """Run rclone; returns what it printed."""
        if not self.config.is_file():
            raise BackupError(
                f"there is no {self.config}; make one with a remote `archive-backup`, see README"
            )
        done = subprocess.run(
            ["rclone", "--config", str(self.config), *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=RCLONE_SECONDS,
        )
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise BackupError(f"rclone {words[0]} failed: {said[0]}; see to the remote and run it again")
        return done.stdout

    def note(self, what: str, now: float) -> None:
        """Write when something last succeeded, whole or not at all."""
        self.textfile.mkdir(parents=True, exist_ok=True)
        name = f"backup_{what}_timestamp_seconds"
        lines = (
            f"# HELP {name} When the archive's copy was last {what}.\n# TYPE {name} gauge\n{name} {now:.0f}\n"
        )
        fresh = self.textfile / f"backup_{what}.prom.new"
        fresh.write_text(lines, "utf-8")
        fresh.chmod(0o644)
        fresh.rename(self.textfile / f"backup_{what}.prom")


def begin(place: Place, now: float) -> None:
    """Let the clocks run from the host's birth: a backup never set up is told like one that stopped."""
    for what in ("copied", "verified"):
        if not (place.textfile / f"backup_{what}.prom").exists():
            place.note(what, now)


def copy(place: Place, now: float) -> None:
    """Make the remote what the archive is; what that replaces is kept there for KEPT_DAYS."""
    if not (place.archive / ".state/id").is_file():
        raise BackupError(f"{place.archive} holds no archive; is the Volume mounted? Nothing was copied")
    day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    with tempfile.TemporaryDirectory() as folder:
        # First of all, as they are now: parts that come while we copy are more than these promise.
        kept = [f"--include={pattern}" for pattern in POINTERS]
        place.rclone("copy", *kept, str(place.archive), folder)
        aside = f"{REMOTE}{ONCE_THERE}/{day}"
        no_parts = [f"--exclude={pattern}" for pattern in NO_PARTS]
        there = f"{REMOTE}{NOW_THERE}"
        place.rclone("sync", "--fast-list", "--backup-dir", aside, *no_parts, str(place.archive), there)
        place.rclone("copy", folder, there)
    place.rclone("mkdir", f"{REMOTE}{ONCE_THERE}")
    place.rclone("delete", "--min-age", f"{KEPT_DAYS}d", "--rmdirs", f"{REMOTE}{ONCE_THERE}")
    place.note("copied", now)


def verify(place: Place, now: float, dice: random.Random) -> int:
    """Restore a sample and look at it; returns how many files were whole."""
    there = f"{REMOTE}{NOW_THERE}"
    listed = json.loads(place.rclone("lsjson", "--recursive", "--files-only", "--fast-list", there))
    parts = [one["Path"] for one in listed if one["Path"].endswith(".parquet")]
    if not parts:
        raise BackupError("the remote holds no part; run `backup copy`")
    chosen = dice.sample(sorted(parts), min(SAMPLE, len(parts)))
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "names"
        names.write_text("".join(f"{name}\n" for name in chosen), "utf-8")
        back = Path(folder) / "back"
        place.rclone("copy", "--files-from", str(names), there, str(back))
        for name in chosen:
            _look_at(back / name, place.archive / name)
    place.note("verified", now)
    return len(chosen)


def restore(place: Place, folder: Path) -> None:
    """Bring the copy into an empty folder: parts first, then what says that they are whole."""
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty; restore beside it, look, and only then move it there")
    folder.mkdir(parents=True, exist_ok=True)
    there = f"{REMOTE}{NOW_THERE}"
    place.rclone("copy", *[f"--exclude={pattern}" for pattern in NO_PARTS], there, str(folder))
    place.rclone("copy", *[f"--include={pattern}" for pattern in POINTERS], there, str(folder))


def main(words: list[str]) -> int:
    """Do what was asked; returns 1, with the reason, where there is no good copy."""
    parser = argparse.ArgumentParser(prog="backup", description=__doc__)
    parser.add_argument("verb", choices=("begin", "copy", "verify", "restore"))
    parser.add_argument("folder", type=Path, nargs="?", help="restore: an empty folder")
    parser.add_argument("--archive", type=Path, default=Place.archive)
    parser.add_argument("--config", type=Path, default=Place.config)
    parser.add_argument("--textfile", type=Path, default=Place.textfile)
    asked = parser.parse_args(words)
    place = Place(asked.archive, asked.config, asked.textfile)
    begun = time.monotonic()
    try:
        if asked.verb == "begin":
            begin(place, time.time())
        elif asked.verb == "copy":
            copy(place, time.time())
        elif asked.verb == "verify":
            _say(f"{verify(place, time.time(), random.Random())} parts restored and whole")  # noqa: S311 - a sample
        elif asked.folder is None:
            parser.error("restore needs a folder")
        else:
            restore(place, asked.folder)
    except BackupError as error:
        print(f"backup {asked.verb}: {error}", file=sys.stderr)  # noqa: T201 - for the journal
        return 1
    _say(f"backup {asked.verb}: done in {time.monotonic() - begun:.0f} s")
    return 0


def _look_at(back: Path, here: Path) -> None:
    """Raise BackupError unless a restored part is Parquet, and as the one here, if that is still here."""
    data = back.read_bytes() if back.is_file() else b""
    if data[:4] != MAGIC or data[-4:] != MAGIC:
        raise BackupError(f"{back.name} came back broken; run `backup copy`, then `backup verify`")
    if here.is_file() and hashlib.sha256(here.read_bytes()).digest() != hashlib.sha256(data).digest():
        raise BackupError(
            f"{back.name} is not what the archive holds; run `backup copy`, then `backup verify`"
        )


def _say(what: str) -> None:
    print(what, flush=True)  # noqa: T201 - for the journal


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
