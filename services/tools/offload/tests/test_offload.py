"""Hours are uploaded to a real S3 server, read back, and only then removed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.archive.footer import rows_in, total
from services.archive.notes import read_removals
from services.archive.paths import manifest_path, removed_path
from services.shared.errors import Transient
from services.shared.event import Stream
from services.tools.offload.bucket import Bucket, measure
from services.tools.offload.index import indexed, only_remote
from services.tools.settings import ToolsSettings
from services.tools.tests.making import START_HOUR, events, write

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.offload.tests.conftest import OffloadedArchive


def files(stored: OffloadedArchive) -> list[Path]:
    return sorted(
        path for stream in stored.truth for path in (stored.root / "raw" / stream).rglob("*.parquet")
    )


def bucket() -> Bucket:
    return Bucket(ToolsSettings())


def test_offloaded_files_are_equal_and_stay_here(stored: OffloadedArchive) -> None:
    before = files(stored)
    answer = stored.ask("offload")
    assert answer.exit_code == 0, answer.output
    assert files(stored) == before
    found = {one.key: one.object for one in indexed(stored.root, Stream)}
    assert set(found) == {str(path.relative_to(stored.root)) for path in before}
    for path in before:
        there = bucket().measure(str(path.relative_to(stored.root)))
        assert there == measure(path)
    assert stored.ask("offload").stderr.count("0 files") == 1, "what is noted is not uploaded again"


def test_hours_that_are_not_compacted_are_not_offloaded(stored: OffloadedArchive) -> None:
    late = events(10, seed=5)[Stream.POSTS] or events(60, seed=6)[Stream.POSTS]
    write(stored.root, Stream.POSTS, late)
    assert stored.ask("offload").exit_code == 0
    assert START_HOUR not in {one.hour for one in indexed(stored.root, [Stream.POSTS])}
    assert START_HOUR in {one.hour for one in indexed(stored.root, [Stream.LIKES])}


def test_after_a_removal_a_query_reads_both_tiers(stored: OffloadedArchive) -> None:
    before = stored.rows()
    assert stored.ask("offload", "--remove").exit_code == 0
    assert stored.rows() == before, "handed over, and not yet removed"
    stored.swap()
    assert files(stored) == []
    assert stored.ask("verify").exit_code == 0, "what was removed on purpose is not missing"
    assert stored.rows() == before == sum(map(len, stored.truth.values()))
    hour = stored.ask("sql", "--csv", "SELECT count(*) FROM likes WHERE hour = 17")
    whole = stored.ask("sql", "--csv", "SELECT count(*) FROM likes")
    assert 0 < int(hour.stdout.split()[-1]) < int(whole.stdout.split()[-1])
    write(stored.root, Stream.POSTS, events(20, seed=7)[Stream.POSTS])
    assert stored.rows() == before + len(events(20, seed=7)[Stream.POSTS]), "a late part counts beside it"


def test_a_removal_records_the_rows_for_the_ledger(stored: OffloadedArchive) -> None:
    stored.ask("offload", "--remove")
    stored.swap()
    noted = [
        one.accounted
        for hour in (START_HOUR, START_HOUR + 1)
        for removal in read_removals(removed_path(stored.root, Stream.LIKES, hour))
        for one in removal.inputs
    ]
    assert rows_in(total(*noted)) == len(stored.truth[Stream.LIKES])


def test_an_interrupted_offload_is_continued(stored: OffloadedArchive) -> None:
    stored.ask("offload")
    (stored.root / ".state/offloaded/likes/2026-09-21T16.json").unlink()
    spoilt = next(indexed(stored.root, [Stream.POSTS]))
    (stored.root / ".state/offloaded/posts/2026-09-21T16.json").unlink()
    bucket().put(spoilt.key, stored.root / ".state/id")
    answer = stored.ask("offload")
    assert answer.exit_code == 0, answer.output
    for path in files(stored):
        assert bucket().measure(str(path.relative_to(stored.root))) == measure(path)


def test_nothing_is_removed_while_its_object_is_missing(stored: OffloadedArchive) -> None:
    stored.ask("offload")
    for one in indexed(stored.root, Stream):
        bucket().delete(one.key)
    answer = stored.ask("offload", "--remove")
    assert answer.exit_code == 2
    assert "no longer what was uploaded" in answer.stderr
    assert not any(
        manifest_path(stored.root, stream, hour).exists()
        for stream in Stream
        for hour in (START_HOUR, START_HOUR + 1)
    )
    assert only_remote(stored.root, Stream) == []


def test_an_unreachable_server_raises_transient_with_its_name(
    stored: OffloadedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIVE_OBJECT_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Transient, match=f"s3://{stored.store.bucket}/bluesky"):
        Bucket(ToolsSettings(), retry_seconds=1.0).size("posts/any")


def test_without_a_bucket_or_keys_the_setting_is_named(
    stored: OffloadedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARCHIVE_OBJECT_KEY_FILE")
    assert "ARCHIVE_OBJECT_KEY_FILE" in stored.ask("offload").stderr
    monkeypatch.delenv("ARCHIVE_OBJECT_STORE")
    answer = stored.ask("offload")
    assert (answer.exit_code, "ARCHIVE_OBJECT_STORE" in answer.stderr) == (2, True)
    assert stored.rows() == sum(map(len, stored.truth.values()))
