"""`archive shell`: the questions of `archive sql` at a prompt; a statement ends with a semicolon."""

from __future__ import annotations

import contextlib
import importlib
import time
from types import MappingProxyType
from typing import TYPE_CHECKING

from services.shared.errors import BadInput
from services.tools.answers import ask, show
from services.tools.console import console
from services.tools.settings import settings
from services.tools.tiers import far_datasets
from services.tools.views import connected, create_views

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import duckdb
    import pyarrow.dataset as ds

    from services.shared.event import Stream

PROMPT, MORE = "archive> ", "    ...> "
_FRESH_SECONDS = 60.0
_HELP = (
    "end a statement with ; · .tables lists the views · .quit or Ctrl-D leaves · Ctrl-C drops what was typed"
)


def shell() -> None:
    """Ask DuckDB at a prompt, with history; one view a stream."""
    with contextlib.suppress(ImportError):
        # Its mere presence gives input() a history and keys to edit with.
        importlib.import_module("readline")
    given = settings()
    with connected(given.root, given.tools_memory_mb) as connection:
        console().print(_HELP, style="dim")
        Shell(connection, given.root, far_datasets(given, "shell")).run(input)


class Shell:
    """What has been typed, and the connection that answers."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        root: Path,
        far: Mapping[Stream, ds.Dataset] = MappingProxyType({}),
    ) -> None:
        self._connection = connection
        self._root = root
        self._far = far
        self._typed: list[str] = []
        self._viewed_at: float | None = None

    def run(self, read: Callable[[str], str]) -> None:
        """Answer lines until they end; `read` gives the next, as input() does."""
        while True:
            try:
                if not self.take(read(MORE if self._typed else PROMPT)):
                    return
            except EOFError:
                console().print()
                return
            except KeyboardInterrupt:
                # Also while a statement runs: DuckDB gives it up.
                self._typed = []
                console().print()

    def take(self, line: str) -> bool:
        """Take one line; whether to go on."""
        if not self._typed and line.strip() in (".quit", ".exit"):
            return False
        if not self._typed and line.strip().startswith("."):
            self._answer("SHOW TABLES" if line.strip() == ".tables" else "")
        elif line.strip() or self._typed:
            self._typed.append(line)
            if line.rstrip().endswith(";"):
                query, self._typed = "\n".join(self._typed), []
                self._answer(query)
        return True

    def _answer(self, query: str) -> None:
        if not query:
            console().print(_HELP, style="dim")
            return
        try:
            self._renew()
            show(ask(self._connection, query))
        except BadInput as error:
            console().print(str(error), style="red", markup=False)

    def _renew(self) -> None:
        """Look at the files again now and then: the writer adds, compaction replaces."""
        now = time.monotonic()
        if self._viewed_at is None or now - self._viewed_at > _FRESH_SECONDS:
            create_views(self._connection, self._root, far=self._far)
            self._viewed_at = now
