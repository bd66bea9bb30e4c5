"""The archive's copy is made, read back and brought home, by real rclone; what is wrong is told."""

from __future__ import annotations

import random
import re
import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deployment.backup import BackupError, Place, begin, copy, main, restore, verify
from services.monitoring.metric_checks import PRODUCTION_ONLY, metrics_used, rule_expressions
from testing.harness.fixtures import missing

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_790_000_000.0
DAY = 86400.0
DICE = random.Random(7)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    if shutil.which("rclone") is None:
        missing("no rclone here; on a Debian machine: make engine")
    config = tmp_path / "rclone.conf"
    config.write_text(f"[archive-backup]\ntype = alias\nremote = {tmp_path / 'remote'}\n", "utf-8")
    made = Place(tmp_path / "archive", config, tmp_path / "textfile")
    for hour in range(5):
        _part(made.archive, hour)
    _pointer(made.archive, "1")
    (made.archive / ".state").mkdir(exist_ok=True)
    (made.archive / ".state/id").write_text("id", "utf-8")
    (made.archive / ".state/staging").mkdir(parents=True)
    (made.archive / ".state/staging" / "half.tmp").write_text("half", "utf-8")
    return made


def _part(archive: Path, hour: int) -> Path:
    path = archive / "posts" / "year=2026" / f"hour={hour:02}" / "part.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"n": [hour]}), path)
    return path


def _pointer(archive: Path, text: str) -> None:
    path = archive / ".state/checkpoints" / "posts.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _noted(place: Place, what: str) -> float:
    text = (place.textfile / f"backup_{what}.prom").read_text("utf-8")
    found = re.search(rf"^backup_{what}_timestamp_seconds (\d+)$", text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_what_is_copied_comes_back_whole(place: Place, tmp_path: Path) -> None:
    copy(place, NOW)
    assert _noted(place, "copied") == NOW
    restore(place, tmp_path / "back")
    kept = {
        name: data for name, data in _files(place.archive).items() if not name.startswith(".state/staging")
    }
    assert _files(tmp_path / "back") == kept
    assert pq.read_table(tmp_path / "back" / "posts").num_rows == 5


def test_what_is_taken_out_stays_for_a_while(place: Place, tmp_path: Path) -> None:
    copy(place, NOW)
    gone = place.archive / "posts" / "year=2026" / "hour=00" / "part.parquet"
    whole = gone.read_bytes()
    gone.unlink()
    copy(place, NOW + DAY)
    restore(place, tmp_path / "back")
    assert not (tmp_path / "back" / gone.relative_to(place.archive)).exists()
    (kept,) = (tmp_path / "remote" / "replaced").rglob("part.parquet")
    assert kept.read_bytes() == whole


def test_a_pointer_is_never_newer_than_the_parts_beside_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Place.rclone

    def meanwhile(self: Place, *words: str) -> str:
        said = asked(self, *words)
        if words[0] == "sync":
            # The writer goes on as soon as the parts have been looked through.
            _part(place.archive, 9)
            _pointer(place.archive, "9")
        return said

    monkeypatch.setattr(Place, "rclone", meanwhile)
    copy(place, NOW)
    restore(place, tmp_path / "back")
    assert (tmp_path / "back" / ".state/checkpoints" / "posts.json").read_text() == "1"
    assert not (tmp_path / "back" / "posts" / "year=2026" / "hour=09").exists()


def test_an_unmounted_volume_never_empties_the_copy(place: Place, tmp_path: Path) -> None:
    copy(place, NOW)
    shutil.rmtree(place.archive)
    place.archive.mkdir()
    with pytest.raises(BackupError, match="holds no archive; is the Volume mounted"):
        copy(place, NOW + DAY)
    assert _noted(place, "copied") == NOW
    restore(place, tmp_path / "back")
    assert pq.read_table(tmp_path / "back" / "posts").num_rows == 5


def test_a_sample_is_restored_and_looked_at(place: Place) -> None:
    copy(place, NOW)
    assert verify(place, NOW + DAY, DICE) == 5
    assert _noted(place, "verified") == NOW + DAY


def test_a_copy_that_rots_is_found(place: Place, tmp_path: Path) -> None:
    copy(place, NOW)
    begin(place, NOW)
    rotten = next((tmp_path / "remote" / "current").rglob("part.parquet"))
    data = bytearray(rotten.read_bytes())
    data[len(data) // 2] ^= 1
    rotten.write_bytes(data)
    with pytest.raises(BackupError, match="is not what the archive holds"):
        verify(place, NOW + DAY, DICE)
    rotten.write_bytes(data[:-1])
    with pytest.raises(BackupError, match="came back broken"):
        verify(place, NOW + DAY, DICE)
    assert _noted(place, "verified") == NOW


def test_an_empty_copy_is_no_copy(place: Place, tmp_path: Path) -> None:
    (tmp_path / "remote" / "current").mkdir(parents=True)
    with pytest.raises(BackupError, match="holds no part; run `backup copy`"):
        verify(place, NOW, DICE)


def test_a_restore_never_writes_over_anything(place: Place) -> None:
    copy(place, NOW)
    before = _files(place.archive)
    with pytest.raises(BackupError, match="is not empty; restore beside it"):
        restore(place, place.archive)
    assert _files(place.archive) == before


def test_clocks_run_from_the_hosts_birth_and_are_not_set_back(place: Place) -> None:
    begin(place, NOW)
    assert (_noted(place, "copied"), _noted(place, "verified")) == (NOW, NOW)
    begin(place, NOW + DAY)
    assert _noted(place, "copied") == NOW


def test_without_a_remote_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".state").mkdir(exist_ok=True)
    (tmp_path / ".state/id").write_text("id", "utf-8")
    nowhere = [
        "--archive",
        str(tmp_path),
        "--config",
        str(tmp_path / "no"),
        "--textfile",
        str(tmp_path / "t"),
    ]
    assert main(["copy", *nowhere]) == 1
    said = capsys.readouterr().err
    assert "make one with a remote `archive-backup`, see README" in said
    assert not (tmp_path / "t").exists()


def test_a_remote_that_is_away_is_told(place: Place) -> None:
    place.config.write_text("[other]\ntype = alias\nremote = /tmp\n", "utf-8")
    with pytest.raises(BackupError, match=r"rclone sync failed: .*; see to the remote and run it again"):
        copy(place, NOW)
    assert not place.textfile.exists()


def test_alerts_ask_for_what_is_noted(place: Place) -> None:
    begin(place, NOW)
    noted = {path.read_text("utf-8").split()[-2] for path in place.textfile.glob("*.prom")}
    assert noted == {name for name in PRODUCTION_ONLY if name.startswith("backup_")}
    assert noted <= set(metrics_used(rule_expressions()))
