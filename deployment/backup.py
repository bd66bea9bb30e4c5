#!/usr/bin/env python3
"""Backup of the archive: `backup copy|verify|restore FOLDER`, on the host, by timers and by hand.

Hetzner's backups of a server do not contain its Volume. rclone copies the archive to the remote
`archive-backup` of /opt/archive/shared/rclone.conf: S3-compatible storage or a Storage Box. A single file for
the host's Python, with the standard library only; it repeats the names of services/archive/paths.py.
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
CURRENT = "current"
REPLACED = "replaced"
"""Files that were replaced or removed since the last copy, by day; kept for RETENTION_DAYS."""
RETENTION_DAYS = 30
SAMPLE = 20
POSITION = (".state/id", ".state/epoch", ".state/checkpoints")
"""Which archive this is, and up to where it is complete. Copied before the datasets and restored last: a
checkpoint never covers a part that the copy lacks."""
NOTES = (
    ".state/removed",
    ".state/rewritten",
    ".state/offloaded",
    ".state/deletions",
    ".state/quarantine",
    ".state/demo",
)
"""Notes on hours that are removed, rewritten or elsewhere. Copied after the datasets: an hour that is removed
while these are copied is noted, or it would be lost after a restore."""
NOT_DATASETS = ("--exclude=.*", "--exclude=.*/**")
"""All other state is rebuilt, or of use to this machine only."""
RCLONE_SECONDS = 20 * 3600
MAGIC = b"PAR1"


class BackupError(Exception):
    """There is no good copy; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Backup:
    """Paths of the archive, of rclone's configuration, and of the metrics for node_exporter."""

    archive: Path = Path("/mnt/archive/data")
    config: Path = Path("/opt/archive/shared/rclone.conf")
    textfile: Path = Path("/var/lib/archive/textfile")

    def rclone(self, *words: str) -> str:
        """Run rclone; returns its output."""
        if not self.config.is_file():
            raise BackupError(
                f"there is no {self.config}; create one with a remote `archive-backup`, see README"
            )
        try:
            done = subprocess.run(
                ["rclone", "--config", str(self.config), *words],
                check=False,
                capture_output=True,
                text=True,
                timeout=RCLONE_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise BackupError(
                f"rclone {words[0]} took more than {RCLONE_SECONDS / 3600:.0f} hours"
            ) from error
        if done.returncode != 0:
            reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise BackupError(f"rclone {words[0]} failed: {reason[0]}; check the remote and run it again")
        return done.stdout

    def record(self, event: str, now: float) -> None:
        """Write the metric of the last success of `event`, atomically."""
        self.textfile.mkdir(parents=True, exist_ok=True)
        name = f"backup_{event}_timestamp_seconds"
        lines = f"# HELP {name} When the backup was last {event}.\n# TYPE {name} gauge\n{name} {now:.0f}\n"
        fresh = self.textfile / f"backup_{event}.prom.new"
        fresh.write_text(lines, "utf-8")
        fresh.chmod(0o644)
        fresh.rename(self.textfile / f"backup_{event}.prom")


def start_clocks(backup: Backup, now: float) -> None:
    """Record both events once, when the host is provisioned, so that alerts fire without any backup too."""
    for event in ("copied", "verified"):
        if not (backup.textfile / f"backup_{event}.prom").exists():
            backup.record(event, now)


def copy(backup: Backup, now: float) -> None:
    """Make the remote equal to the archive; files that this replaces are kept for RETENTION_DAYS."""
    if not (backup.archive / ".state/id").is_file():
        raise BackupError(f"{backup.archive} holds no archive; is the Volume mounted? Nothing was copied")
    day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    source, current = str(backup.archive), f"{REMOTE}{CURRENT}"
    sync = ("sync", "--fast-list", f"--backup-dir={REMOTE}{REPLACED}/{day}")
    with tempfile.TemporaryDirectory() as folder:
        backup.rclone("copy", *_only(POSITION), source, folder)
        backup.rclone(*sync, *NOT_DATASETS, source, current)
        backup.rclone(*sync, *_only(NOTES), source, current)
        backup.rclone("copy", folder, current)
    backup.rclone("mkdir", f"{REMOTE}{REPLACED}")
    backup.rclone("delete", "--min-age", f"{RETENTION_DAYS}d", "--rmdirs", f"{REMOTE}{REPLACED}")
    backup.record("copied", now)


def verify(backup: Backup, now: float, rng: random.Random) -> int:
    """Restore a random sample and compare it with the archive; returns the number of files."""
    current = f"{REMOTE}{CURRENT}"
    listed = json.loads(backup.rclone("lsjson", "--recursive", "--files-only", "--fast-list", current))
    parts = [one["Path"] for one in listed if one["Path"].endswith(".parquet")]
    if not parts:
        raise BackupError("the remote holds no part; run `backup copy`")
    chosen = rng.sample(sorted(parts), min(SAMPLE, len(parts)))
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "names"
        names.write_text("".join(f"{name}\n" for name in chosen), "utf-8")
        restored = Path(folder) / "restored"
        backup.rclone("copy", "--files-from", str(names), current, str(restored))
        for name in chosen:
            _compare(restored / name, backup.archive / name)
    backup.record("verified", now)
    return len(chosen)


def restore(backup: Backup, folder: Path) -> None:
    """Copy the backup into an empty folder: datasets, then notes, and the position last."""
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(f"{folder} is not empty; restore beside it, look, and only then move it there")
    folder.mkdir(parents=True, exist_ok=True)
    for chosen in (NOT_DATASETS, _only(NOTES), _only(POSITION)):
        backup.rclone("copy", *chosen, f"{REMOTE}{CURRENT}", str(folder))


def main(words: list[str]) -> int:
    """Run a command; returns 1, with the reason on standard error, when it fails."""
    parser = argparse.ArgumentParser(prog="backup", description=__doc__)
    parser.add_argument("verb", choices=("init", "copy", "verify", "restore"))
    parser.add_argument("folder", type=Path, nargs="?", help="restore: an empty folder")
    parser.add_argument("--archive", type=Path, default=Backup.archive)
    parser.add_argument("--config", type=Path, default=Backup.config)
    parser.add_argument("--textfile", type=Path, default=Backup.textfile)
    options = parser.parse_args(words)
    backup = Backup(options.archive, options.config, options.textfile)
    began = time.monotonic()
    try:
        if options.verb == "init":
            start_clocks(backup, time.time())
        elif options.verb == "copy":
            copy(backup, time.time())
        elif options.verb == "verify":
            _print(f"{verify(backup, time.time(), random.Random())} parts restored and compared")  # noqa: S311 - a sample
        elif options.folder is None:
            parser.error("restore needs a folder")
        else:
            restore(backup, options.folder)
    except BackupError as error:
        print(f"backup {options.verb}: {error}", file=sys.stderr)  # noqa: T201 - for the journal
        return 1
    _print(f"backup {options.verb}: done in {time.monotonic() - began:.0f} s")
    return 0


def _only(names: tuple[str, ...]) -> list[str]:
    """Return rclone's filters for these files and folders and nothing else."""
    return [f"--include={pattern}" for name in names for pattern in (f"/{name}", f"/{name}/**")]


def _compare(restored: Path, original: Path) -> None:
    """Raise BackupError unless a restored part is Parquet and equals the original, if that still exists."""
    data = restored.read_bytes() if restored.is_file() else b""
    if data[:4] != MAGIC or data[-4:] != MAGIC:
        raise BackupError(f"{restored.name} is damaged in the copy; run `backup copy`, then `backup verify`")
    if original.is_file() and hashlib.sha256(original.read_bytes()).digest() != hashlib.sha256(data).digest():
        raise BackupError(
            f"{restored.name} differs from the archive's; run `backup copy`, then `backup verify`"
        )


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - for the journal


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
