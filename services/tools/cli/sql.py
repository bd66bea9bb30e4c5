"""`archive sql`: runs a query in DuckDB, with one view a stream; it cannot change a file."""

from __future__ import annotations

import csv
import sys
from typing import Annotated, Any

import typer

from services.tools.console import plain, print_json_rows
from services.tools.query.answers import ask, show
from services.tools.query.tiers import remote_datasets
from services.tools.query.views import connected, create_views
from services.tools.settings import settings


def sql(
    query: Annotated[str, typer.Argument(help="SQL for DuckDB; each stream is a view.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list of JSON objects.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
) -> None:
    """Run a read-only query in DuckDB; each stream is a view."""
    given = settings()
    with connected(given.root, given.tools_memory_mb) as connection:
        create_views(connection, given.root, remote=remote_datasets(given, "sql"))
        answer = ask(connection, query)
        if as_json:
            print_json_rows(answer)
        elif as_csv:
            writer = csv.writer(sys.stdout)
            writer.writerow(answer.columns)
            writer.writerows([_cell(row[name]) for name in answer.columns] for row in answer)
        else:
            show(answer)


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float) else plain(value)
