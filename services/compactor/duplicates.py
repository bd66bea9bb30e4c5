"""Find the rows of an hour that a merge removes: duplicates, and rows that a condition drops.

Candidates are found by a 64-bit hash and decided by comparing the columns: a hash collision removes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.archive.schema import IDENTITY_COLUMNS, time_column
from services.compactor.job import READ

if TYPE_CHECKING:
    import duckdb

    from services.compactor.job import Job


def find_duplicates(database: duckdb.DuckDBPyConnection, job: Job) -> dict[int, int]:
    """Write the rows that are not the first of their event to table `removed`; return how many a file."""
    identity = ", ".join(IDENTITY_COLUMNS[job.stream])
    names = IDENTITY_COLUMNS[job.stream]
    same = " AND ".join(f"mine.{name} IS NOT DISTINCT FROM theirs.{name}" for name in names)
    of_mine = ", ".join(f"mine.{name}" for name in names)
    time = time_column(job.stream)
    database.execute("CREATE OR REPLACE TEMP TABLE removed (f UBIGINT, r BIGINT)")
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE known AS SELECT hash({identity}) AS h FROM {READ}", [job.paths]
    )
    database.execute(
        f"""
        INSERT INTO removed SELECT f, r FROM (
            SELECT file_index AS f, file_row_number AS r, row_number() OVER (
                PARTITION BY {identity} ORDER BY {time}, file_index, file_row_number
            ) AS nth
            FROM {READ}
            WHERE hash({identity}) IN (SELECT h FROM known GROUP BY h HAVING count(*) > 1)
        ) WHERE nth > 1
        """,
        [job.paths],
    )
    if job.earlier:
        database.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE theirs AS SELECT DISTINCT {identity} FROM {READ}
            WHERE hash({identity}) IN (SELECT h FROM known)
            """,
            [[str(path) for path in job.earlier]],
        )
        database.execute(
            f"""
            INSERT INTO removed SELECT mine.file_index, mine.file_row_number FROM {READ} AS mine
            WHERE hash({of_mine}) IN (SELECT hash({identity}) FROM theirs)
            AND EXISTS (SELECT 1 FROM theirs WHERE {same})
            AND NOT EXISTS (
                SELECT 1 FROM removed WHERE removed.f = mine.file_index AND removed.r = mine.file_row_number
            )
            """,
            [job.paths],
        )
    database.execute("DROP TABLE known")
    return _by_file(database, "SELECT f, count(*) FROM removed GROUP BY f")


def find_dropped(database: duckdb.DuckDBPyConnection, job: Job) -> dict[str, dict[int, int]]:
    """Add the rows that `job.drop` selects to table `removed`.

    Returns their number by reason and file; a row counts for the first reason that selects it.
    """
    dropped = {}
    for reason, condition in job.drop.items():
        found = f"""
            SELECT file_index AS f, file_row_number AS r FROM {READ} AS mine
            WHERE ({condition}) AND NOT EXISTS (
                SELECT 1 FROM removed WHERE removed.f = mine.file_index AND removed.r = mine.file_row_number
            )
        """
        database.execute(f"CREATE OR REPLACE TEMP TABLE dropped AS {found}", [job.paths])
        database.execute("INSERT INTO removed SELECT f, r FROM dropped")
        dropped[reason] = _by_file(database, "SELECT f, count(*) FROM dropped GROUP BY f")
    return dropped


def has_dropped(database: duckdb.DuckDBPyConnection, job: Job) -> bool:
    """Whether `job.drop` selects any row."""
    return any(
        database.execute(f"SELECT 1 FROM {READ} AS mine WHERE {condition} LIMIT 1", [job.paths]).fetchone()
        for condition in job.drop.values()
    )


def _by_file(database: duckdb.DuckDBPyConnection, query: str) -> dict[int, int]:
    return {int(index): int(rows) for index, rows in database.execute(query).fetchall()}
