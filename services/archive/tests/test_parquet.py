"""Parts are plain Parquet for every reader, and every kind of damage is reported as one error."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.archive.catalog import read_file
from services.archive.parquet import (
    DamagedFile,
    PartWriter,
    ReadHints,
    UnreadableFile,
    check_file,
    check_rows,
    open_part,
    read_footer,
    write_table,
)
from services.archive.schema import Codec, Compression
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.data_writer.tests.test_encode import like
from services.shared.errors import BrokenInvariant
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIKES = [like(rkey=str(n), cid="bafyrei" * 8, **({"odd": n} if n % 3 else {})) for n in range(1000)]


@pytest.mark.parametrize(
    "compression",
    [*(Compression(codec) for codec in Codec), Compression(Codec.ZSTD, 9), Compression(Codec.GZIP, None)],
)
def test_every_codec_is_read_by_every_reader(compression: Compression, tmp_path: Path) -> None:
    encoded = encode(Stream.LIKES, LIKES)
    (path,) = commit(tmp_path, encoded, ChunkOrigin(), compression).paths
    expected = encoded.parts[0].table
    assert pq.read_table(path, partitioning=None).equals(expected)
    assert pl.read_parquet(path, hive_partitioning=False)["extra"].to_list() == expected["extra"].to_pylist()
    with duckdb.connect() as connection:
        duck = connection.read_parquet(str(path), hive_partitioning=False).to_arrow_table()
    assert duck["rkey"].to_pylist() == expected["rkey"].to_pylist()
    codec = pq.read_metadata(path).row_group(0).column(0).compression
    assert codec == {"none": "UNCOMPRESSED"}.get(compression.codec, compression.codec.upper())


def test_the_hash_is_that_of_the_row_groups(tmp_path: Path) -> None:
    (path,) = commit(tmp_path, encode(Stream.LIKES, LIKES), ChunkOrigin()).paths
    footer = read_footer(path)
    rows_bytes = int(footer["archive.rows_bytes"])
    assert hashlib.sha256(path.read_bytes()[:rows_bytes]).hexdigest() == footer["archive.rows_sha256"]
    group = pq.read_metadata(path).row_group(0)
    ends = []
    for number in range(group.num_columns):
        column = group.column(number)
        start = column.dictionary_page_offset or column.data_page_offset
        ends.append(start + column.total_compressed_size)
    assert rows_bytes == max(ends)


def test_a_part_that_reads_back_as_another_is_a_broken_invariant(tmp_path: Path) -> None:
    encoded = encode(Stream.LIKES, LIKES)
    (path,) = commit(tmp_path, encoded, ChunkOrigin()).paths
    check_file(path, encoded.parts[0].table.num_rows, encoded.parts[0].table.schema)
    for other in (
        encode(Stream.LIKES, LIKES[:5]),
        encode(Stream.REPOSTS, [like().replace(b".like", b".repost")]),
    ):
        with pytest.raises(BrokenInvariant, match="another part"):
            check_file(path, other.parts[0].table.num_rows, other.parts[0].table.schema)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _no_parquet(path: Path) -> None:
    path.write_bytes(b"PAR1 and then the power went")


def _corrupt_thrift(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    length = int.from_bytes(whole[-8:-4], "little")
    whole[-8 - length : -8] = b"\xff" * length
    path.write_bytes(whole)


def _no_archive(path: Path) -> None:
    pq.write_table(pq.read_table(path, partitioning=None).replace_schema_metadata(), path)


def _another_stream(path: Path) -> None:
    with path.open("wb") as file:
        table = encode(Stream.LIKES, LIKES[:1]).parts[0].table
        write_table(file, Stream.LIKES, table, {"archive.stream": "reposts"}, Compression())


def _other_columns(path: Path) -> None:
    footer = {"archive.stream": "likes", "archive.schema_version": "1"}
    pq.write_table(pa.table({"time_us": [1]}).replace_schema_metadata(footer), path)


def _newer_version(path: Path) -> None:
    footer = {"archive.stream": "likes", "archive.schema_version": "99"}
    pq.write_table(pq.read_table(path, partitioning=None).replace_schema_metadata(footer), path)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


DAMAGES = (
    _empty,
    _no_parquet,
    _corrupt_thrift,
    _no_archive,
    _another_stream,
    _other_columns,
    _newer_version,
    _fifo,
    _directory,
    _link_to_nothing,
    _link_to_itself,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=[one.__name__.strip("_") for one in DAMAGES])
def test_every_kind_of_damage_is_a_damaged_file(damage: Callable[[Path], None], tmp_path: Path) -> None:
    (path,) = commit(tmp_path, encode(Stream.LIKES, LIKES), ChunkOrigin()).paths
    damage(path)
    with pytest.raises(DamagedFile, match=path.name), open_part(path, Stream.LIKES):
        pass
    with pytest.raises(DamagedFile, match=path.name):
        read_file(path, Stream.LIKES)


def test_a_truncated_file_is_damaged_wherever_it_ends(tmp_path: Path) -> None:
    (path,) = commit(tmp_path, encode(Stream.LIKES, LIKES), ChunkOrigin()).paths
    whole = path.read_bytes()
    for length in random.Random(1).sample(range(len(whole)), 200):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFile), open_part(path, Stream.LIKES):
            pass


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits_in_a_footer_raise_no_other_error(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    path = tmp_path / "part.parquet"
    table = encode(Stream.LIKES, LIKES).parts[0].table
    with path.open("wb") as file:
        writer = PartWriter(file, Stream.LIKES, Compression(), ReadHints(("did", "time_us")))
        writer.write(table)
        writer.seal({"archive.stream": "likes", "archive.schema_version": "1"})
    whole = path.read_bytes()
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    damaged = 0
    for _ in range(300):
        flipped = bytearray(whole)
        for at in rng.sample(range(start, len(whole)), rng.choice((1, 1, 3))):
            flipped[at] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            with open_part(path, Stream.LIKES) as part:
                assert part.sorted_by is not None
                part.read()
        except DamagedFile:
            damaged += 1
    assert damaged


def test_a_file_that_may_not_be_read_is_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = commit(tmp_path, encode(Stream.LIKES, LIKES), ChunkOrigin()).paths

    def refuse(*_arguments: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(pa, "OSFile", refuse)
    with pytest.raises(UnreadableFile, match=f"let user {os.getuid()} read it"), open_part(path):
        pass


def test_an_io_error_while_reading_is_not_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path,) = commit(tmp_path, encode(Stream.LIKES, LIKES), ChunkOrigin()).paths

    class Failing(pa.OSFile):  # type: ignore[misc] # pyarrow has no types
        def read_at(self, *_arguments: object) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(pa, "OSFile", Failing)
    with open_part(path) as part, pytest.raises(UnreadableFile, match="check its disk"):
        part.rows_sha256()


def test_a_file_that_is_gone_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_part(tmp_path / "gone.parquet"):
        pass


def test_altered_rows_are_damage(tmp_path: Path) -> None:
    (path,) = commit(tmp_path, encode(Stream.LIKES, LIKES), ChunkOrigin()).paths
    check_rows(path)
    whole = bytearray(path.read_bytes())
    whole[100] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DamagedFile, match="not those that were written"):
        check_rows(path)
