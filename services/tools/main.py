"""The `archive` program: registers the commands in the order in which the help lists them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

from services.shared.errors import ArchiveError
from services.shared.settings import SettingsError
from services.tools.cli.compact import compact
from services.tools.cli.coverage import coverage
from services.tools.cli.deletions import deletions
from services.tools.cli.export import export
from services.tools.cli.gaps import gaps
from services.tools.cli.pull import pull
from services.tools.cli.rejects import rejects
from services.tools.cli.snapshot import snapshot
from services.tools.cli.sql import sql
from services.tools.cli.status import status
from services.tools.cli.verify import verify
from services.tools.console import UNUSABLE


class _Commands(TyperGroup):
    """Prints an error as one sentence on standard error, and exits with code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command and translate the errors that a user can act on."""
        try:
            return super().invoke(ctx)
        except (ArchiveError, SettingsError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            print(error, file=sys.stderr)  # noqa: T201 - the user reads it, not a log
            raise typer.Exit(UNUSABLE) from error


_EXAMPLES = """Examples:

archive coverage --hours 2026-07-04

archive sql "SELECT langs, count(*) FROM posts GROUP BY ALL ORDER BY 2 DESC"

archive export --from 2026-07-04T14 --to 2026-07-04T15 --stream posts > posts.jsonl

archive verify --hours 2026-07-04

archive snapshot paper-2026, and years later: archive snapshot verify paper-2026

docker compose run --rm tools archive repair --gaps"""

app = typer.Typer(
    name="archive",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Read, check, copy and repair the archive at ARCHIVE_ROOT. Exit codes: 0 nothing to report, "
    "1 something was found, 2 error.",
    epilog=_EXAMPLES,
)


_OVERVIEW, _QUERIES, _CHECKS, _UPKEEP = "Overview", "Queries", "Checks", "Upkeep"
app.command(rich_help_panel=_OVERVIEW)(status)
app.command(rich_help_panel=_OVERVIEW)(coverage)
app.command(rich_help_panel=_OVERVIEW)(gaps)
app.add_typer(rejects, name="rejects", rich_help_panel=_OVERVIEW)
app.command(rich_help_panel=_QUERIES)(sql)
app.command(rich_help_panel=_QUERIES)(export)
app.command(rich_help_panel=_CHECKS)(verify)
app.add_typer(snapshot, name="snapshot", rich_help_panel=_CHECKS)
app.command(rich_help_panel=_CHECKS)(deletions)
app.command(rich_help_panel=_UPKEEP)(pull)
app.command(rich_help_panel=_UPKEEP)(compact)
if find_spec("obstore") is not None:
    # Only in the image `tools`: the writer's image has no network and none of the packages for it.
    from services.tools.cli.forget import forget
    from services.tools.cli.offload import offload
    from services.tools.cli.repair import repair
    from services.tools.cli.replay import replay

    _ONLINE = "With Redis and the network"
    app.command(rich_help_panel=_ONLINE)(repair)
    app.command(rich_help_panel=_ONLINE)(offload)
    rejects.command()(replay)
    app.command(rich_help_panel=_ONLINE)(forget)


if __name__ == "__main__":
    app(prog_name="archive")
