"""Offloaded files are exported, copied and cited as files here are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.archive.paths import archive_id_path
from services.shared.event import Stream
from services.tools.copy.sources import Folder
from services.tools.offload.bucket import Bucket, measure
from services.tools.offload.index import indexed
from services.tools.query.tiers import BothTiers, bucket_for, remote_files
from services.tools.settings import ToolsSettings
from services.tools.tests.making import START_HOUR, close_hours, events, write
from testing.proof.audit.canonical import canonical, parse

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from services.tools.offload.tests.conftest import OffloadedArchive


def offload_all(stored: OffloadedArchive) -> None:
    """Offload everything, and let the writer remove it here."""
    assert stored.ask("offload", "--remove").exit_code == 0
    stored.swap()
    assert not [path for stream in stored.truth for path in (stored.root / "raw" / stream).rglob("*.parquet")]


def reported(frames: bytes | list[bytes]) -> list[str]:
    lines = frames.splitlines() if isinstance(frames, bytes) else frames
    return sorted(canonical(parse(line)) for line in lines)


def truth_of(stored: OffloadedArchive) -> list[bytes]:
    return [frame for frames in stored.truth.values() for frame in frames]


def test_export_reads_both_tiers_in_the_order_of_time(stored: OffloadedArchive) -> None:
    offload_all(stored)
    late = events(20, seed=7)[Stream.POSTS]
    write(stored.root, Stream.POSTS, late)
    answer = stored.ask("export")
    assert answer.exit_code == 0, answer.output
    assert reported(answer.stdout_bytes) == reported([*truth_of(stored), *late])
    times = [parse(line)["time_us"] for line in answer.stdout_bytes.splitlines()]
    assert times == sorted(times)
    one_hour = stored.ask(
        "export", "--from", "2026-09-21T17", "--to", "2026-09-21T17:10", "--stream", "likes"
    )
    assert 0 < len(one_hour.stdout_bytes.splitlines()) < len(stored.truth[Stream.LIKES])


def test_without_the_bucket_export_reports_what_is_missing(
    stored: OffloadedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    offload_all(stored)
    monkeypatch.delenv("ARCHIVE_OBJECT_STORE")
    answer = stored.ask("export")
    assert "are only in the bucket and missing from this answer" in answer.stderr
    assert "tools archive export" in answer.stderr
    assert answer.stdout == ""


def test_pull_copies_files_that_are_only_in_the_bucket(
    stored: OffloadedArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.relative_to(stored.root): measure(path) for path in stored.root.rglob("hour=*/*.parquet")}
    offload_all(stored)
    copy = tmp_path / "copy"
    copy.mkdir()
    monkeypatch.setenv("ARCHIVE_ROOT", str(copy))
    part = stored.ask("pull", str(stored.root), "--hours", "2026-09-21T16")
    assert part.exit_code == 0, part.output
    assert 0 < len(list(copy.rglob("hour=*/*.parquet"))) < len(before)
    assert stored.ask("pull", str(stored.root)).exit_code == 0
    assert {path.relative_to(copy): measure(path) for path in copy.rglob("hour=*/*.parquet")} == before
    assert archive_id_path(copy).read_bytes() == archive_id_path(stored.root).read_bytes()


def test_a_snapshot_stays_valid_when_its_files_are_offloaded(stored: OffloadedArchive) -> None:
    close_hours(stored.root)
    assert stored.ask("snapshot", "before").exit_code == 0
    offload_all(stored)
    kept = stored.ask("snapshot", "verify", "before")
    assert kept.exit_code == 0, kept.output
    assert stored.ask("snapshot", "after").exit_code == 0
    cited = [one["sha256"] for one in parse(stored.ask("snapshot", "list", "--json").stdout.encode())]
    assert len(set(cited)) == 1
    Bucket(ToolsSettings()).delete(next(indexed(stored.root, [Stream.LIKES])).key)
    spoilt = stored.ask("snapshot", "verify", "before")
    assert (spoilt.exit_code, "gone" in spoilt.stdout) == (1, True), spoilt.output


def test_remote_files_are_selected_by_hour_and_stream(stored: OffloadedArchive) -> None:
    given = ToolsSettings()
    assert bucket_for(given, remote_files(stored.root), "sql") is None, "no file is only in the bucket"
    offload_all(stored)
    assert {one.hour for one in remote_files(stored.root)} == {START_HOUR, START_HOUR + 1}
    assert {one.hour for one in remote_files(stored.root, hours=range(START_HOUR, START_HOUR + 1))} == {
        START_HOUR
    }
    remote = remote_files(stored.root, [Stream.POSTS])
    bucket = bucket_for(given, remote, "pull")
    assert bucket is not None
    both = BothTiers(Folder(stored.root), bucket, remote)
    whole = b"".join(both.blocks(remote[0].key, 0))
    assert len(whole) == remote[0].object.bytes
    assert b"".join(both.blocks(remote[0].key, 100)) == whole[100:]
    assert both.read(".state/id") == b"0123456789abcdef"
