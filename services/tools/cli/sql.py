"""`archive sql`: one question to DuckDB, with a view a stream; nothing it says can change a file."""

from __future__ import annotations

import csv
import sys
from typing import Annotated, Any

import typer

from services.tools.console import plain, say_json_rows
from services.tools.query.answers import ask, show
from services.tools.query.tiers import far_datasets
from services.tools.query.views import connected, create_views
from services.tools.settings import settings


def sql(
    query: Annotated[str, typer.Argument(help="SQL of DuckDB; the views are the streams.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated, with a header.")] = False,
) -> None:
    """Ask DuckDB: one view a stream, read-only."""
    given = settings()
    with connected(given.root, given.tools_memory_mb) as connection:
        create_views(connection, given.root, far=far_datasets(given, "sql"))
        answer = ask(connection, query)
        if as_json:
            say_json_rows(answer)
        elif as_csv:
            writer = csv.writer(sys.stdout)
            writer.writerow(answer.columns)
            writer.writerows([_cell(row[name]) for name in answer.columns] for row in answer)
        else:
            show(answer)


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else plain(value)
