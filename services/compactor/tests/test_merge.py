"""One hour's rows, each event once and sorted, with nothing lost, whatever is there twice."""

from __future__ import annotations

import errno
import json
import os
import random
from typing import TYPE_CHECKING, Any, BinaryIO

import duckdb
import pyarrow.parquet as pq
import pytest

from services.archive.catalog import File, read_file
from services.archive.footer import accounted, rows_in, total
from services.archive.parquet import DamagedFile, PartWriter, read_footer
from services.archive.paths import HOUR_US, hour_directory
from services.archive.schema import BLOOM_COLUMNS, IDENTITY_COLUMNS, SCHEMAS, SORT_COLUMNS
from services.compactor import merge as merge_module
from services.compactor.job import Job, MergeLimits
from services.compactor.merge import merge
from services.compactor.tests.archives import BORDER_US, put
from services.compactor.tests.test_plan import kept
from services.data_writer.tests.feeding import traffic
from services.shared.errors import Transient
from services.shared.event import Reason, Reject, Stream

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

HOUR = BORDER_US // HOUR_US


def job(root: Path, stream: Stream, hour: int = HOUR, *, earlier: int = 0, drop: str = "") -> Job:
    """Return the merge of an hour, compared with so many earlier ones."""
    directory = hour_directory(root, stream, hour)
    files = tuple(read_file(path, stream) for path in sorted(directory.iterdir()))
    before = [hour_directory(root, stream, hour - back) for back in range(1, earlier + 1)]
    paths = tuple(path for one in before for path in sorted(one.glob("*")))
    return Job(
        stream=stream, hour=hour, directory=directory, files=files, earlier=paths,
        compared=frozenset(path.name for path in paths), drop={"test": drop} if drop else {},
    )  # fmt: skip


def likes(events: int, first_us: int = BORDER_US) -> list[tuple[str, bytes]]:
    return [(s, frame) for s, frame in traffic(events, first_us=first_us) if s == "likes"]


def moved(frame: bytes, by_us: int) -> bytes:
    """Return the event as another host sends it: at another time."""
    body = json.loads(frame)
    body["time_us"] += by_us
    return json.dumps(body).encode()


def rows(paths: list[Path] | list[str], stream: Stream) -> list[tuple[object, ...]]:
    columns = ", ".join(SCHEMAS[stream].names)
    query = f"SELECT hash({columns}), count(*) FROM read_parquet(?) GROUP BY ALL ORDER BY ALL"  # noqa: S608 - ours
    return duckdb.execute(query, [[str(path) for path in paths]]).fetchall()


def run(one: Job, tmp_path: Path, bounds: MergeLimits | None = None) -> tuple[list[Path], int]:
    folder = tmp_path / "merged"
    folder.mkdir()
    merged = merge(one, folder, tmp_path / "scratch", bounds or MergeLimits())
    assert sorted(path.name for path in folder.iterdir()) == sorted(output.name for output in merged.outputs)
    return [folder / output.name for output in merged.outputs], merged.duplicates


@pytest.mark.parametrize("stream", [stream for stream in Stream if stream is not Stream.GAPS])
def test_rows_are_the_same_and_sorted(tmp_path: Path, stream: Stream) -> None:
    events = [(s, frame) for s, frame in traffic(6000) if s == stream]
    if stream is Stream.REJECTS:
        frames = [b"no json", b"", bytes(range(256))]
        rejects = [Reject(Reason.NOT_JSON, frame, "host", BORDER_US + at) for at, frame in enumerate(frames)]
        events = [("rejects", reject.encode()) for reject in rejects]
    put(tmp_path / "archive", events, chunk=100)
    hour = min(int(path.name[5:]) for path in (tmp_path / "archive").glob(f"raw/{stream}/*/*/*/hour=*"))
    one = job(tmp_path / "archive", stream, HOUR // 24 * 24 + hour)
    paths, duplicates = run(one, tmp_path)
    assert duplicates == 0
    assert rows(paths, stream) == rows(one.paths, stream)
    table = pq.read_table(paths[0], partitioning=None)
    assert table.schema.equals(SCHEMAS[stream])
    assert table.sort_by([(name, "ascending") for name in SORT_COLUMNS[stream]]).equals(table)
    metadata = pq.read_metadata(paths[0])
    assert [column.column_index for column in metadata.row_group(0).sorting_columns] == [
        SCHEMAS[stream].get_field_index(name) for name in SORT_COLUMNS[stream]
    ]
    asked = "SELECT DISTINCT path_in_schema FROM parquet_metadata(?) WHERE bloom_filter_length > 0"
    filters = duckdb.execute(asked, [str(paths[0])]).fetchall()
    assert {name for (name,) in filters} == set(BLOOM_COLUMNS.get(stream, ()))


def test_of_each_event_the_first_copy_by_the_rule_stays(tmp_path: Path) -> None:
    """Copies in the hour and the one before, at other times, in random files: SQL does as the rule says."""
    rng = random.Random(5)
    frames = [frame for _, frame in likes(200)]
    root = tmp_path / "archive"
    for _ in range(8):
        some = rng.sample(frames, 60)
        put(root, [("likes", moved(frame, rng.randint(-3, 3) * HOUR_US // 3)) for frame in some])
    one = job(root, Stream.LIKES, earlier=1)
    identity = ", ".join(IDENTITY_COLUMNS[Stream.LIKES])
    wanted = f"concat_ws('/', {identity}), time_us, file_index, file_row_number"
    query = f"SELECT {wanted} FROM read_parquet(?)"  # noqa: S608 - our own names
    copies = duckdb.execute(query, [one.paths]).fetchall()
    earlier = {copy[0] for copy in duckdb.execute(query, [[str(path) for path in one.earlier]]).fetchall()}
    expected = sorted((copy[0], copy[1]) for copy in kept(copies, earlier))
    paths, duplicates = run(one, tmp_path)
    found = duckdb.execute(query, [[str(path) for path in paths]]).fetchall()
    assert sorted((copy[0], copy[1]) for copy in found) == expected
    assert duplicates == len(copies) - len(expected) > 0


def test_a_large_hour_becomes_several_files_which_account_for_all_of_it(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    events = likes(30_000)
    put(root, events, epoch=1)
    put(root, events[:5000], epoch=2, chunk=700)
    one = job(root, Stream.LIKES)
    paths, duplicates = run(one, tmp_path, MergeLimits(file_bytes=1))
    assert duplicates == 5000
    counts = total(*(accounted(read_footer(path)) for path in paths))
    assert counts == {"1": {"likes": len(events)}, "2": {"likes": 5000}}
    assert sum(pq.read_metadata(path).num_rows for path in paths) == len(events)


def test_an_hour_of_nothing_but_duplicates_leaves_a_file_that_accounts_for_them(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    events = likes(300)
    put(root, [("likes", moved(frame, -HOUR_US)) for _, frame in events])
    put(root, events, epoch=2)
    paths, duplicates = run(job(root, Stream.LIKES, earlier=1), tmp_path)
    assert duplicates == len(events)
    assert pq.read_metadata(paths[0]).num_rows == 0
    assert accounted(read_footer(paths[0])) == {"2": {"likes": len(events)}}


def test_dropped_rows_are_removed_and_counted(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    events = likes(300)
    put(root, events)
    did = json.loads(events[0][1])["did"]
    of_did = sum(json.loads(frame)["did"] == did for _, frame in events)
    folder = tmp_path / "merged"
    folder.mkdir()
    merged = merge(
        job(root, Stream.LIKES, drop=f"did = '{did}'"), folder, tmp_path / "scratch", MergeLimits()
    )
    assert (merged.duplicates, merged.dropped, rows_in(merged.removed)) == (0, {"test": of_did}, of_did)
    assert sum(output.rows for output in merged.outputs) == len(events) - of_did


def test_a_damaged_file_is_named_and_a_missing_one_is_transient(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    put(root, likes(300))
    one = job(root, Stream.LIKES)
    folder = tmp_path / "merged"
    folder.mkdir()
    path = one.directory / one.files[0].name
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + b"\0" * 200 + whole[400:])
    with pytest.raises(DamagedFile, match=path.name):
        merge(one, folder, tmp_path / "scratch", MergeLimits())
    path.unlink()
    with pytest.raises(Transient):
        merge(one, folder, tmp_path / "scratch", MergeLimits())


def test_the_same_inputs_give_the_same_names(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    put(root, likes(300))
    one = job(root, Stream.LIKES)
    names = set()
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        names.add(
            tuple(output.name for output in merge(one, folder, tmp_path / "scratch", MergeLimits()).outputs)
        )
    assert len(names) == 1
    assert isinstance(one.files[0], File)


def test_a_merge_that_fails_half_way_closes_and_removes_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder = tmp_path / "archive", tmp_path / "merged"
    put(root, likes(300))
    folder.mkdir()
    sinks: list[BinaryIO] = []

    class Failing(PartWriter):
        def __init__(self, sink: BinaryIO, *arguments: Any) -> None:
            super().__init__(sink, *arguments)
            sinks.append(sink)

        def write(self, table: pa.Table) -> None:
            super().write(table)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(merge_module, "PartWriter", Failing)
    with pytest.raises(Transient, match="No space"):
        merge(job(root, Stream.LIKES), folder, tmp_path / "scratch", MergeLimits())
    assert [sink.closed for sink in sinks] == [True]
    assert list(folder.iterdir()) == []
