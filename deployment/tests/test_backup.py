"""The archive's backup is made, verified and restored by real rclone; failures name the remedy."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deployment import backup
from deployment.backup import Backup, BackupError, copy, main, restore, start_clocks, verify
from services.archive import paths
from services.archive.coverage import read_coverage
from services.archive.manifest import Cause, removal_of, write_manifest
from services.archive.swap import swap_prepared
from services.compactor.coverage import refresh_coverage
from services.monitoring.metric_checks import PRODUCTION_ONLY, metrics_used, rule_expressions
from services.shared.event import Stream
from services.tools.offload.index import Object, only_remote, write_index
from services.tools.tests.making import START_HOUR, archive, close_hours, events
from testing.harness.fixtures import missing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = 1_790_000_000.0
DAY = 86400.0
RNG = random.Random(7)


@pytest.fixture
def setup(tmp_path: Path) -> Backup:
    """Return a backup of an archive with five parts and a file in every folder of the state."""
    if shutil.which("rclone") is None:
        missing("no rclone here; on a Debian machine: make engine")
    config = tmp_path / "rclone.conf"
    config.write_text(f"[archive-backup]\ntype = alias\nremote = {tmp_path / 'remote'}\n", "utf-8")
    made = Backup(tmp_path / "archive", config, tmp_path / "textfile")
    for hour in range(5):
        _part(made.archive, hour)
    for name in (*paths.POSITION, *paths.NOTES, *paths.REBUILDABLE, *paths.SCRATCH):
        _state(made.archive, name, "1")
    return made


def _part(root: Path, hour: int) -> Path:
    path = root / paths.RAW / "posts" / "year=2026" / f"hour={hour:02}" / "part.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"n": [hour]}), path)
    return path


def _state(root: Path, name: str, text: str) -> Path:
    """Write a file of the state: `name` itself where that is a file, else one in the folder."""
    path = (
        root / name
        if name in (paths.ARCHIVE_ID, paths.EPOCH, paths.DEMO_MARK)
        else root / name / "posts.json"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _recorded(setup: Backup, event: str) -> float:
    text = (setup.textfile / f"backup_{event}.prom").read_text("utf-8")
    found = re.search(rf"^backup_{event}_timestamp_seconds (\d+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def _during(
    monkeypatch: pytest.MonkeyPatch, before_raw: Callable[[], object], after_raw: Callable[[], object]
) -> None:
    """Call functions right before and right after rclone copies `raw`."""
    run = Backup.rclone
    calls = [before_raw, after_raw]

    def rclone(self: Backup, *words: str) -> str:
        if words[0] != "sync" or not calls:
            return run(self, *words)
        calls.pop(0)()
        output = run(self, *words)
        calls.pop(0)()
        return output

    monkeypatch.setattr(Backup, "rclone", rclone)


def test_the_folders_of_the_state_are_those_of_the_archive() -> None:
    assert backup.POSITION == paths.POSITION
    assert backup.NOTES == paths.NOTES
    every = (*paths.POSITION, *paths.NOTES, *paths.REBUILDABLE, *paths.SCRATCH)
    assert len(set(every)) == len(every)
    assert all(name.startswith(f"{paths.STATE}/") for name in every)


def test_datasets_position_and_notes_are_restored_and_nothing_else(setup: Backup, tmp_path: Path) -> None:
    copy(setup, NOW)
    assert _recorded(setup, "copied") == NOW
    restore(setup, tmp_path / "restored")
    left_out = tuple(f"{name}/" for name in (*paths.REBUILDABLE, *paths.SCRATCH))
    expected = {name: data for name, data in _files(setup.archive).items() if not name.startswith(left_out)}
    assert _files(tmp_path / "restored") == expected
    assert pq.read_table(tmp_path / "restored" / paths.RAW / "posts").num_rows == 5


@pytest.mark.parametrize("name", paths.NOTES)
def test_notes_are_newer_and_the_position_is_older_than_the_parts(
    setup: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Hours are removed and the writer commits while the backup runs."""

    def remove(hour: int) -> None:
        _state(setup.archive, name, f"hour {hour} was removed")
        _part(setup.archive, hour).unlink()
        _part(setup.archive, hour + 7)
        for position in paths.POSITION:
            _state(setup.archive, position, "9")

    _during(monkeypatch, lambda: remove(0), lambda: remove(1))
    copy(setup, NOW)
    restored = tmp_path / "restored"
    restore(setup, restored)
    hours = restored / paths.RAW / "posts" / "year=2026"
    assert not (hours / "hour=00").exists()
    assert (hours / "hour=01" / "part.parquet").is_file(), "removed after it was copied: present, and noted"
    assert _state(setup.archive, name, "x").relative_to(setup.archive) in {
        path.relative_to(restored) for path in restored.rglob("*")
    }
    noted = next(data for path, data in _files(restored).items() if path.startswith(name))
    assert noted == b"hour 1 was removed"
    assert not (hours / "hour=08").exists()
    for position in paths.POSITION:
        assert next(data for path, data in _files(restored).items() if path.startswith(position)) == b"1"


def test_an_offloaded_hour_is_known_after_a_restore(setup: Backup, tmp_path: Path) -> None:
    """By the real program, on an archive of the writer's own, of which an hour lies only in the bucket."""
    shutil.rmtree(setup.archive)
    root = close_hours(archive(setup.archive, {Stream.POSTS: events(400)[Stream.POSTS]}))
    files = sorted(path for path in (root / paths.RAW / "posts").rglob("*.parquet"))
    names = [path.name for path in files]
    sizes = {path.name: path.stat().st_size for path in files}
    write_index(root, Stream.POSTS, START_HOUR, [Object(name, sizes[name], "0" * 64) for name in names])
    write_manifest(root, removal_of(root, Stream.POSTS, START_HOUR, names, Cause.OFFLOAD))
    assert list(swap_prepared(root, Stream.POSTS))
    options = ["--archive", str(root), "--config", str(setup.config), "--textfile", str(setup.textfile)]
    before = [(row.hour, row.state, row.rows) for row in read_coverage(root) if row.stream is Stream.POSTS]
    assert any(rows for _, _, rows in before)
    program = (
        [backup.__file__, "copy", *options],
        [backup.__file__, "restore", str(tmp_path / "back"), *options],
    )
    for words in program:
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    restored = tmp_path / "back"
    assert {one.object.name for one in only_remote(restored, [Stream.POSTS])} == set(names)
    # The coverage table can be rebuilt; the removed hour is not empty even then.
    shutil.rmtree(restored / paths.COVERAGE)
    refresh_coverage(restored, int(NOW * 1e6))
    after = [(row.hour, row.state, row.rows) for row in read_coverage(restored) if row.stream is Stream.POSTS]
    assert after == before


def test_replaced_files_stay_in_the_remote_for_a_while(setup: Backup, tmp_path: Path) -> None:
    copy(setup, NOW)
    removed = setup.archive / paths.RAW / "posts" / "year=2026" / "hour=00" / "part.parquet"
    content = removed.read_bytes()
    removed.unlink()
    copy(setup, NOW + DAY)
    restore(setup, tmp_path / "restored")
    assert not (tmp_path / "restored" / removed.relative_to(setup.archive)).exists()
    (kept,) = (tmp_path / "remote" / "replaced").rglob("part.parquet")
    assert kept.read_bytes() == content


def test_an_unmounted_volume_never_empties_the_copy(setup: Backup, tmp_path: Path) -> None:
    copy(setup, NOW)
    shutil.rmtree(setup.archive)
    setup.archive.mkdir()
    with pytest.raises(BackupError, match="holds no archive; is the Volume mounted"):
        copy(setup, NOW + DAY)
    assert _recorded(setup, "copied") == NOW
    restore(setup, tmp_path / "restored")
    assert pq.read_table(tmp_path / "restored" / paths.RAW / "posts").num_rows == 5


def test_a_sample_is_restored_and_compared(setup: Backup) -> None:
    copy(setup, NOW)
    assert verify(setup, NOW + DAY, RNG) == 5
    assert _recorded(setup, "verified") == NOW + DAY


def test_a_damaged_copy_is_found(setup: Backup, tmp_path: Path) -> None:
    copy(setup, NOW)
    start_clocks(setup, NOW)
    damaged = next((tmp_path / "remote" / "current").rglob("part.parquet"))
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(BackupError, match="differs from the archive's"):
        verify(setup, NOW + DAY, RNG)
    damaged.write_bytes(data[:-1])
    with pytest.raises(BackupError, match="is damaged in the copy"):
        verify(setup, NOW + DAY, RNG)
    assert _recorded(setup, "verified") == NOW


def test_an_empty_copy_is_refused(setup: Backup, tmp_path: Path) -> None:
    (tmp_path / "remote" / "current").mkdir(parents=True)
    with pytest.raises(BackupError, match="holds no part; run `backup copy`"):
        verify(setup, NOW, RNG)


def test_a_restore_overwrites_nothing(setup: Backup) -> None:
    copy(setup, NOW)
    before = _files(setup.archive)
    with pytest.raises(BackupError, match="is not empty; restore beside it"):
        restore(setup, setup.archive)
    assert _files(setup.archive) == before


def test_clocks_start_when_the_host_is_provisioned_and_are_not_reset(setup: Backup) -> None:
    start_clocks(setup, NOW)
    assert (_recorded(setup, "copied"), _recorded(setup, "verified")) == (NOW, NOW)
    start_clocks(setup, NOW + DAY)
    assert _recorded(setup, "copied") == NOW


def test_a_missing_remote_is_reported_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _state(tmp_path, paths.ARCHIVE_ID, "id")
    options = {"--archive": tmp_path, "--config": tmp_path / "no", "--textfile": tmp_path / "t"}
    assert main(["copy", *(word for name, path in options.items() for word in (name, str(path)))]) == 1
    assert "create one with a remote `archive-backup`, see README" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


def test_a_failure_of_rclone_is_reported(setup: Backup) -> None:
    setup.config.write_text("[other]\ntype = alias\nremote = /tmp\n", "utf-8")
    with pytest.raises(BackupError, match=r"rclone sync failed: .*; check the remote and run it again"):
        copy(setup, NOW)
    assert not setup.textfile.exists()


def test_alerts_use_the_recorded_metrics(setup: Backup) -> None:
    start_clocks(setup, NOW)
    recorded = {path.read_text("utf-8").split()[-2] for path in setup.textfile.glob("*.prom")}
    assert recorded == {name for name in PRODUCTION_ONLY if name.startswith("backup_")}
    assert recorded <= set(metrics_used(rule_expressions()))
