"""Parts are Parquet that every reader opens, and say what they are."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from services.archive.parquet import Codec, Compression, check_file, read_footer
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.data_writer.tests.test_encode import like
from services.shared.errors import BrokenInvariant
from services.shared.event import Stream

if TYPE_CHECKING:
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


def test_a_part_that_is_another_is_a_broken_invariant(tmp_path: Path) -> None:
    encoded = encode(Stream.LIKES, LIKES)
    (path,) = commit(tmp_path, encoded, ChunkOrigin()).paths
    check_file(path, encoded.parts[0].table.num_rows, encoded.parts[0].table.schema)
    for other in (
        encode(Stream.LIKES, LIKES[:5]),
        encode(Stream.REPOSTS, [like().replace(b".like", b".repost")]),
    ):
        with pytest.raises(BrokenInvariant, match="another part"):
            check_file(path, other.parts[0].table.num_rows, other.parts[0].table.schema)


def test_the_footer_of_no_part_is_a_broken_invariant(tmp_path: Path) -> None:
    path = tmp_path / "torn.parquet"
    path.write_bytes(b"PAR1 and then the power went")
    with pytest.raises(BrokenInvariant, match="no Parquet"):
        read_footer(path)
