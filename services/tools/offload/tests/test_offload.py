"""Hours go to a real S3-speaking server, are read back, and only then from here; nothing is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.archive.footer import rows_in, total
from services.archive.manifest import read_removals
from services.archive.paths import manifest_path, removed_path
from services.shared.errors import Transient
from services.shared.event import Stream
from services.tools.offload.bucket import Bucket, measure
from services.tools.offload.index import indexed, only_far
from services.tools.settings import ToolsSettings
from services.tools.tests.making import START_HOUR, events, write

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.offload.tests.conftest import StreamHour


def files(place: StreamHour) -> list[Path]:
    return sorted(path for stream in place.truth for path in (place.root / "raw" / stream).rglob("*.parquet"))


def bucket() -> Bucket:
    return Bucket(ToolsSettings())


def test_what_is_offloaded_is_there_byte_for_byte_and_stays_here(place: StreamHour) -> None:
    before = files(place)
    answer = place.ask("offload")
    assert answer.exit_code == 0, answer.output
    assert files(place) == before
    found = {one.key: one.object for one in indexed(place.root, Stream)}
    assert set(found) == {str(path.relative_to(place.root)) for path in before}
    for path in before:
        there = bucket().measure(str(path.relative_to(place.root)))
        assert there == measure(path)
    assert place.ask("offload").stderr.count("0 files") == 1, "what is noted is not uploaded again"


def test_hours_that_are_not_compacted_wait(place: StreamHour) -> None:
    late = events(10, seed=5)[Stream.POSTS] or events(60, seed=6)[Stream.POSTS]
    write(place.root, Stream.POSTS, late)
    assert place.ask("offload").exit_code == 0
    assert START_HOUR not in {one.hour for one in indexed(place.root, [Stream.POSTS])}
    assert START_HOUR in {one.hour for one in indexed(place.root, [Stream.LIKES])}


def test_after_a_removal_one_question_sees_both_tiers(place: StreamHour) -> None:
    before = place.rows()
    assert place.ask("offload", "--remove").exit_code == 0
    assert place.rows() == before, "handed over, and not yet removed"
    place.swap()
    assert files(place) == []
    assert place.ask("verify").exit_code == 0, "what was removed on purpose is not missing"
    assert place.rows() == before == sum(map(len, place.truth.values()))
    hour = place.ask("sql", "--csv", "SELECT count(*) FROM likes WHERE hour = 17")
    whole = place.ask("sql", "--csv", "SELECT count(*) FROM likes")
    assert 0 < int(hour.stdout.split()[-1]) < int(whole.stdout.split()[-1])
    write(place.root, Stream.POSTS, events(20, seed=7)[Stream.POSTS])
    assert place.rows() == before + len(events(20, seed=7)[Stream.POSTS]), "a late part counts beside it"


def test_a_removal_leaves_what_the_ledger_needs(place: StreamHour) -> None:
    place.ask("offload", "--remove")
    place.swap()
    noted = [
        one.accounted
        for hour in (START_HOUR, START_HOUR + 1)
        for removal in read_removals(removed_path(place.root, Stream.LIKES, hour))
        for one in removal.inputs
    ]
    assert rows_in(total(*noted)) == len(place.truth[Stream.LIKES])


def test_an_upload_that_ended_half_way_goes_on_where_it_was(place: StreamHour) -> None:
    place.ask("offload")
    (place.root / ".state/offloaded/likes/2026-09-21T16.json").unlink()
    spoilt = next(indexed(place.root, [Stream.POSTS]))
    (place.root / ".state/offloaded/posts/2026-09-21T16.json").unlink()
    bucket().put(spoilt.key, place.root / ".state/id")
    answer = place.ask("offload")
    assert answer.exit_code == 0, answer.output
    for path in files(place):
        assert bucket().measure(str(path.relative_to(place.root))) == measure(path)


def test_nothing_is_removed_for_an_object_that_is_no_longer_there(place: StreamHour) -> None:
    place.ask("offload")
    for one in indexed(place.root, Stream):
        bucket().delete(one.key)
    answer = place.ask("offload", "--remove")
    assert answer.exit_code == 2
    assert "no longer what was uploaded" in answer.stderr
    assert not any(
        manifest_path(place.root, stream, hour).exists()
        for stream in Stream
        for hour in (START_HOUR, START_HOUR + 1)
    )
    assert only_far(place.root, Stream) == []


def test_a_server_that_is_away_is_told_with_its_name(
    place: StreamHour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIVE_OBJECT_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Transient, match=f"s3://{place.store.bucket}/bluesky"):
        Bucket(ToolsSettings(), retry_seconds=1.0).size("posts/any")


def test_without_a_bucket_or_keys_it_says_what_to_set(
    place: StreamHour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARCHIVE_OBJECT_KEY_FILE")
    assert "ARCHIVE_OBJECT_KEY_FILE" in place.ask("offload").stderr
    monkeypatch.delenv("ARCHIVE_OBJECT_STORE")
    answer = place.ask("offload")
    assert (answer.exit_code, "ARCHIVE_OBJECT_STORE" in answer.stderr) == (2, True)
    assert place.rows() == sum(map(len, place.truth.values()))
