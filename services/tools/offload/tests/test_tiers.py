"""What left for the bucket is exported, copied and cited as if it lay here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.archive.paths import archive_id_path
from services.shared.event import Stream
from services.tools.copy.sources import Folder
from services.tools.offload.bucket import Bucket, measure
from services.tools.offload.index import indexed
from services.tools.query.tiers import BothTiers, bucket_for, only_there
from services.tools.settings import ToolsSettings
from services.tools.tests.making import START_HOUR, events, settle, write
from testing.proof.audit.canonical import canonical, parse

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from services.tools.offload.tests.conftest import StreamHour


def gone_far(place: StreamHour) -> None:
    """Offload everything, and let the writer remove it here."""
    assert place.ask("offload", "--remove").exit_code == 0
    place.swap()
    assert not [path for stream in place.truth for path in (place.root / "raw" / stream).rglob("*.parquet")]


def told(frames: bytes | list[bytes]) -> list[str]:
    lines = frames.splitlines() if isinstance(frames, bytes) else frames
    return sorted(canonical(parse(line)) for line in lines)


def truth_of(place: StreamHour) -> list[bytes]:
    return [frame for frames in place.truth.values() for frame in frames]


def test_export_tells_both_tiers_in_the_order_of_time(place: StreamHour) -> None:
    gone_far(place)
    late = events(20, seed=7)[Stream.POSTS]
    write(place.root, Stream.POSTS, late)
    answer = place.ask("export")
    assert answer.exit_code == 0, answer.output
    assert told(answer.stdout_bytes) == told([*truth_of(place), *late])
    times = [parse(line)["time_us"] for line in answer.stdout_bytes.splitlines()]
    assert times == sorted(times)
    one_hour = place.ask("export", "--from", "2026-09-21T17", "--to", "2026-09-21T17:10", "--stream", "likes")
    assert 0 < len(one_hour.stdout_bytes.splitlines()) < len(place.truth[Stream.LIKES])


def test_without_the_bucket_export_says_what_is_not_in_its_answer(
    place: StreamHour, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone_far(place)
    monkeypatch.delenv("ARCHIVE_OBJECT_STORE")
    answer = place.ask("export")
    assert "lie only in the bucket and are not in this answer" in answer.stderr
    assert "tools archive export" in answer.stderr
    assert answer.stdout == ""


def test_pull_copies_what_lies_only_in_the_bucket(
    place: StreamHour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.relative_to(place.root): measure(path) for path in place.root.rglob("hour=*/*.parquet")}
    gone_far(place)
    copy = tmp_path / "copy"
    copy.mkdir()
    monkeypatch.setenv("ARCHIVE_ROOT", str(copy))
    part = place.ask("pull", str(place.root), "--hours", "2026-09-21T16")
    assert part.exit_code == 0, part.output
    assert 0 < len(list(copy.rglob("hour=*/*.parquet"))) < len(before)
    assert place.ask("pull", str(place.root)).exit_code == 0
    assert {path.relative_to(copy): measure(path) for path in copy.rglob("hour=*/*.parquet")} == before
    assert archive_id_path(copy).read_bytes() == archive_id_path(place.root).read_bytes()


def test_a_snapshot_stays_true_when_its_files_leave_for_the_bucket(place: StreamHour) -> None:
    settle(place.root)
    assert place.ask("snapshot", "before").exit_code == 0
    gone_far(place)
    kept = place.ask("snapshot", "verify", "before")
    assert kept.exit_code == 0, kept.output
    assert place.ask("snapshot", "after").exit_code == 0
    cited = [one["sha256"] for one in parse(place.ask("snapshot", "list", "--json").stdout.encode())]
    assert len(set(cited)) == 1
    Bucket(ToolsSettings()).delete(next(indexed(place.root, [Stream.LIKES])).key)
    spoilt = place.ask("snapshot", "verify", "before")
    assert (spoilt.exit_code, "gone" in spoilt.stdout) == (1, True), spoilt.output


def test_only_the_hours_asked_for_are_sought_in_the_bucket(place: StreamHour) -> None:
    given = ToolsSettings()
    assert bucket_for(given, only_there(place.root), "sql") is None, "nothing lies only there"
    gone_far(place)
    assert {one.hour for one in only_there(place.root)} == {START_HOUR, START_HOUR + 1}
    assert {one.hour for one in only_there(place.root, hours=range(START_HOUR, START_HOUR + 1))} == {
        START_HOUR
    }
    far = only_there(place.root, [Stream.POSTS])
    bucket = bucket_for(given, far, "pull")
    assert bucket is not None
    both = BothTiers(Folder(place.root), bucket, far)
    whole = b"".join(both.blocks(far[0].key, 0))
    assert len(whole) == far[0].object.bytes
    assert b"".join(both.blocks(far[0].key, 100)) == whole[100:]
    assert both.read(".state/id") == b"0123456789abcdef"
