"""Runs a user's SQL in DuckDB. Statements that could change a file are refused."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from services.shared.errors import BadInput
from services.tools.console import console, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALLOWED = {"SELECT", "EXPLAIN", "CREATE", "DROP", "INSERT", "MULTI"}
_WRITES_FILES = re.compile(r"\b(copy|export|attach|secret|install)\b", re.IGNORECASE)
_ROWS_SHOWN = 1000
_ROWS_AT_ONCE = 2048


class Answer:
    """The rows of one statement, streamed; times are UTC without a zone, as DuckDB shows them."""

    def __init__(self, found: duckdb.DuckDBPyRelation | None) -> None:
        self._reader = None if found is None else found.to_arrow_reader(_ROWS_AT_ONCE)
        schema = pa.schema([]) if self._reader is None else self._reader.schema
        self.columns: list[str] = schema.names
        self.figures = [
            field.name
            for field in schema
            if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        ]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dict. Raises BadInput with DuckDB's message."""
        if self._reader is None:
            return
        try:
            for batch in self._reader:
                yield from _naive(batch).to_pylist()
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise BadInput(_message(error)) from error


def ask(connection: duckdb.DuckDBPyConnection, query: str) -> Answer:
    """Run the statements of a query and return the rows of the last.

    Raises BadInput with DuckDB's message.
    """
    try:
        statements = connection.extract_statements(query)
        for statement in statements:
            refusal = refused(statement.type.name, statement.query)
            if refusal:
                raise BadInput(refusal)
        if not statements:
            raise BadInput('there is no statement; try: archive sql "SELECT count(*) FROM posts"')
        for statement in statements[:-1]:
            connection.execute(statement)
        return Answer(connection.sql(statements[-1]))
    except (duckdb.Error, pa.ArrowException) as error:
        raise BadInput(_message(error)) from error


def _message(error: Exception) -> str:
    # Compaction may replace files between their listing and their opening.
    again = "; files were just compacted: run the query again" if "No such file" in str(error) else ""
    return f"{error}{again}"


def refused(kind: str, statement: str) -> str | None:
    """Return why a statement is refused, or None.

    EXPLAIN ANALYZE and CREATE can contain statements that are refused by themselves.
    """
    if kind in _ALLOWED and (kind == "SELECT" or not _WRITES_FILES.search(statement)):
        return None
    return f"{kind} is refused: the archive is read-only; use SELECT, or CREATE for tables in memory"


def show(answer: Answer) -> None:
    """Print the first thousand rows as a table."""
    first = list(itertools.islice(answer, _ROWS_SHOWN + 1))
    rows = [[row[name] for name in answer.columns] for row in first[:_ROWS_SHOWN]]
    console().print(table(answer.columns, rows, right=answer.figures))
    if len(first) > _ROWS_SHOWN:
        console().print(f"there are more than {_ROWS_SHOWN:,} rows; --json and --csv print all", style="dim")


def _naive(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Drop the zone of times, which is always UTC: converting it would need a time zone database."""
    columns = [
        column.cast(pa.timestamp(column.type.unit)) if pa.types.is_timestamp(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
