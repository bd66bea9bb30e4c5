"""Fixtures: an archive of compacted hours, and a bucket."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from services.archive.swap import swap_prepared
from services.compactor.hour_compactor import HourCompactor
from services.compactor.settings import CompactorSettings
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from services.tools.main import app
from services.tools.tests.making import archive, events
from testing.fakes.object_store import NoSwiftError, ObjectStore, bucket_of_swift, object_store, swift
from testing.harness.daemons import PREFIXES
from testing.harness.fixtures import missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class OffloadedArchive:
    """An archive with a bucket, and a function that runs the command."""

    root: Path
    store: ObjectStore
    truth: dict[Stream, list[bytes]] = field(default_factory=dict)

    def compact(self) -> None:
        """Merge every hour, and swap the files in as the writer does."""
        settings = CompactorSettings(archive_root=self.root, archive_disk_free_min_mb=0)
        HourCompactor(settings, Stopping(), lambda: None).run(close_all=True)
        self.swap()

    def swap(self) -> None:
        """Apply the swap manifests, as the writer does."""
        for stream in Stream:
            list(swap_prepared(self.root, stream))

    def ask(self, *words: str) -> Any:
        """Run `archive`; the answer has exit_code, stdout and stderr."""
        return CliRunner().invoke(app, list(words))

    def rows(self) -> int:
        """Return the number of events that `archive sql` counts."""
        streams = [stream for stream in Stream if stream in self.truth]
        query = " + ".join(f"(SELECT count(*) FROM {stream})" for stream in streams)  # noqa: S608 - our own names
        answer = self.ask("sql", "--csv", f"SELECT {query} AS n")
        assert answer.exit_code == 0, answer.output
        return int(answer.stdout.split()[-1])


@pytest.fixture(scope="session")
def swift_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the endpoint of a running Swift."""
    try:
        with swift(tmp_path_factory.mktemp("swift")) as endpoint:
            yield endpoint
    except NoSwiftError as error:
        missing(str(error))


@pytest.fixture(params=["moto", "swift"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    """Give an empty bucket of each server."""
    if request.param == "swift":
        yield bucket_of_swift(tmp_path, request.getfixturevalue("swift_endpoint"))
        return
    with object_store(tmp_path) as made:
        yield made


@pytest.fixture
def stored(store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OffloadedArchive:
    """Give an archive of two hours, compacted, and an empty bucket."""
    for name in os.environ:
        if name.startswith((*PREFIXES, "TOOLS_", "COMPACT_")):
            monkeypatch.delenv(name)
    # Loggers keep the standard error of their creation, but each run here has its own.
    monkeypatch.setattr("services.tools.cli.pull.start_logs", lambda *_names: None)
    truth = events(1440, rate=0.2)
    root = archive(tmp_path / "archive", truth, chunk=400)
    monkeypatch.setenv("ARCHIVE_ROOT", str(root))
    for name, value in store.settings().items():
        monkeypatch.setenv(name, value)
    made = OffloadedArchive(root, store, truth)
    made.compact()
    return made
