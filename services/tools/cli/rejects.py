"""`archive rejects`: lists frames that were rejected, and prints one of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.shared.errors import BadInput
from services.shared.event import Reason, Stream
from services.tools.console import FOUND, console, instant_us, print_json, table
from services.tools.query.views import connected, create_views, literal
from services.tools.settings import settings

if TYPE_CHECKING:
    import duckdb

_KEY_DIGITS = 12
_SHOWN = 80
_ID = f"left(sha256(frame), {_KEY_DIGITS})"

rejects = typer.Typer(no_args_is_help=True, help="List frames that were rejected, and why; replay them.")


@rejects.command("list")
def list_rejects(
    *,
    reason: Annotated[str, typer.Option(help="Only rejects with this reason.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Number of rejects to list, the newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count rejects by reason, and list the newest. Exit code 1 if there are any."""
    if reason and reason not in tuple(Reason):
        raise BadInput(f"{reason!r} is no reason; reasons are {', '.join(Reason)}")
    given = settings()
    with connected(given.root, given.tools_memory_mb) as connection:
        create_views(connection, given.root, (Stream.REJECTS,))
        counts = dict(
            connection.execute(
                "SELECT reason, count(*) FROM rejects GROUP BY reason ORDER BY reason"
            ).fetchall()
        )
        newest = _newest(connection, f"reason = {literal(reason)}" if reason else "true", limit)
    if as_json:
        print_json({"by_reason": counts, "newest": newest})
    elif not counts:
        console().print("no rejects: every frame is an event")
    else:
        console().print(table(("reason", "frames"), counts.items(), right=("frames",)))
        rows = [
            (
                one["id"],
                instant_us(one["received_at"]),
                one["reason"],
                one["host"],
                one["bytes"],
                one["begins"],
            )
            for one in newest
        ]
        console().print(
            table(("id", "received", "reason", "host", "bytes", "begins"), rows, right=("bytes",))
        )
    raise typer.Exit(FOUND if counts else 0)


@rejects.command("show")
def show_reject(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The id that `rejects list` prints.")],
) -> None:
    """Write a rejected frame to standard output, byte for byte."""
    given = settings()
    if len(identity) < 4 or not all(digit in "0123456789abcdef" for digit in identity):  # noqa: PLR2004 - shorter prefixes match too many
        raise BadInput(f"{identity!r} is no id; `archive rejects list` names them")
    with connected(given.root, given.tools_memory_mb) as connection:
        create_views(connection, given.root, (Stream.REJECTS,))
        wanted = f"starts_with(sha256(frame), {literal(identity)})"
        found = connection.execute(f"FROM rejects SELECT DISTINCT frame WHERE {wanted} LIMIT 2").fetchall()
    if len(found) != 1:
        raise BadInput(f"{'no' if not found else 'more than one'} reject has the id {identity}")
    sys.stdout.buffer.write(found[0][0])


def _newest(connection: duckdb.DuckDBPyConnection, wanted: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest rejects with the beginning of their frames, which may be large and binary."""
    rows = connection.execute(
        f"SELECT {_ID}, received_at, reason, host, stream, octet_length(frame), frame[:{_SHOWN}] FROM rejects"  # noqa: S608 - our own names, quoted reason
        f" WHERE {wanted} ORDER BY received_at DESC LIMIT {limit}"
    ).fetchall()
    names = ("id", "received_at", "reason", "host", "stream", "bytes")
    return [
        dict(zip(names, row[:-1], strict=True)) | {"begins": row[-1].decode("utf-8", "backslashreplace")}
        for row in rows
    ]
