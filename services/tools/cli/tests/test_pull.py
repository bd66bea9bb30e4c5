"""Copies are complete, resumed after interruptions, and never mix two archives."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from services.compactor.tests.archives import compact
from services.shared.event import Stream
from services.shared.settings import load
from services.tools.settings import ToolsSettings
from services.tools.tests.making import close_hours, write
from services.tools.verify.archive_check import verify_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.tools.tests.conftest import Ask


@pytest.fixture
def copy(tmp_path: Path, root: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder for a copy of the archive, whose hours are closed; commands work on the copy."""
    assert ask("status").exit_code == 0
    close_hours(root)
    folder = tmp_path / "copy"
    folder.mkdir()
    monkeypatch.setenv("ARCHIVE_ROOT", str(folder))
    return folder


def parts(root: Path) -> dict[str, bytes]:
    found = root.glob("raw/*/year=*/month=*/day=*/hour=*/*.parquet")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


class Server(SimpleHTTPRequestHandler):
    """Serves files with ranges, and closes connections after some bytes, a given number of times."""

    hangs_up_after = 20_000
    hang_ups: list[int]
    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        """Send a file or a range of it."""
        path = Path(self.translate_path(self.path))
        self.asked.append((path.name, self.headers["Range"]))
        if not path.is_file():
            self.send_error(404)
            return
        found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(found[1]) if found else 0
        content = path.read_bytes()[start:]
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.hang_ups and len(content) > self.hangs_up_after:
            self.hang_ups.pop()
            content = content[: self.hangs_up_after]
            self.close_connection = True
        self.wfile.write(content)

    def log_message(self, *_args: Any) -> None:
        """Log nothing."""


@contextlib.contextmanager
def serving(root: Path, hang_ups: int = 0) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    asked: list[tuple[str, str | None]] = []
    kind = type("Of", (Server,), {"hang_ups": [0] * hang_ups, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_closed_hours_of_a_folder_are_copied(root: Path, copy: Path, ask: Ask) -> None:
    answer = ask("pull", str(root))
    assert answer.exit_code == 0, answer.stderr
    assert parts(copy) == parts(root)
    assert verify_archive(load(ToolsSettings, "TOOLS_")).findings == []
    assert ask("coverage", "--hours", "2026-09-21T16").exit_code == 0
    assert not list(copy.glob(".state/staging/**/*.tmp"))


def test_hours_can_be_selected_and_open_ones_need_an_option(root: Path, copy: Path, ask: Ask) -> None:
    assert ask("pull", str(root), "--hours", "2026-09-21T17").exit_code == 0
    assert {path.split("/")[5] for path in parts(copy)} == {"hour=17"}
    shutil.rmtree(root / "coverage")
    answer = ask("pull", str(root))
    assert answer.exit_code == 2
    assert "--open" in answer.stderr
    assert ask("pull", str(root), "--open").exit_code == 0
    assert parts(copy) == parts(root)


def test_an_interrupted_download_is_resumed(
    root: Path, copy: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHIVE_ROOT", str(root))
    assert ask("snapshot", "all").exit_code == 0
    monkeypatch.setenv("ARCHIVE_ROOT", str(copy))
    with serving(root, hang_ups=3) as (address, asked):
        answer = ask("pull", address, "--snapshot", "all")
    assert answer.exit_code == 0, answer.stderr
    assert parts(copy) == parts(root)
    assert sum(requested == "bytes=20000-" for _, requested in asked) == 3
    assert ask("snapshot", "verify", "all").exit_code == 0
    with serving(root) as (address, asked):
        assert ask("pull", address, "--snapshot", "all").exit_code == 0
    assert not [name for name, _ in asked if name[0].isdigit()], "copied files are not requested again"


def test_a_url_needs_a_snapshot(root: Path, copy: Path, ask: Ask) -> None:
    assert copy.exists()
    with serving(root) as (address, _):
        assert "--snapshot" in ask("pull", address).stderr
        missing = ask("pull", address, "--snapshot", "none")
    assert missing.exit_code == 2
    assert "archive snapshot none" in missing.stderr
    assert ask("pull", "no-such-folder").exit_code == 2


def test_an_unreachable_server_is_an_error(copy: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert copy.exists()
    answer = ask("pull", "http://127.0.0.1:1", "--snapshot", "all")
    assert answer.exit_code == 2
    assert "cannot read http://127.0.0.1:1" in answer.stderr
    monkeypatch.delenv("ARCHIVE_ROOT")


def test_a_damaged_file_is_not_copied(root: Path, copy: Path, ask: Ask) -> None:
    spoilt = min(root.glob("raw/likes/**/*.parquet"))
    whole = bytearray(spoilt.read_bytes())
    whole[40] ^= 1
    spoilt.write_bytes(whole)
    answer = ask("pull", str(root))
    assert answer.exit_code == 2
    assert spoilt.name in answer.stderr
    assert not list(copy.rglob(spoilt.name))


def test_two_archives_never_mix(root: Path, copy: Path, ask: Ask) -> None:
    (copy / ".state").mkdir()
    (copy / ".state/id").write_text("fedcba9876543210")
    answer = ask("pull", str(root))
    assert answer.exit_code == 2
    assert "another one" in answer.stderr
    assert parts(copy) == {}


def test_files_compacted_at_the_source_replace_their_parts_in_the_copy(
    root: Path, copy: Path, ask: Ask
) -> None:
    assert ask("pull", str(root)).exit_code == 0
    before = json.loads(ask("sql", "--json", "SELECT count(*) AS n FROM likes").stdout)
    mine = min(copy.glob("raw/posts/**/*.parquet"))
    compact(root)
    close_hours(root)
    # Lost at the source and never compacted there: it may be the last copy.
    for path in (root / "raw" / "posts").rglob("*.parquet"):
        path.unlink()
    close_hours(root)
    answer = ask("pull", str(root))
    assert answer.exit_code == 0, answer.stderr
    theirs = parts(root)
    assert {path for path in parts(copy) if not path.startswith("raw/posts")} == set(theirs)
    assert mine.exists()
    assert json.loads(ask("sql", "--json", "SELECT count(*) AS n FROM likes").stdout) == before


def likes(root: Path) -> int:
    """Count the rows that the files hold, repeats too."""
    return sum(pq.read_metadata(path).num_rows for path in root.glob("raw/likes/year=*/**/*.parquet"))


def test_parts_that_the_copy_compacted_itself_are_not_copied_again(
    root: Path, copy: Path, ask: Ask, truth: dict[Stream, list[bytes]]
) -> None:
    assert ask("pull", str(root)).exit_code == 0
    assert ask("compact", "--close-all").exit_code == 0
    rows, merged = likes(copy), parts(copy)
    assert any("compacted-" in path for path in merged)
    write(root, Stream.LIKES, [frame.replace(b'"rev":"', b'"rev":"4') for frame in truth[Stream.LIKES][:3]])
    close_hours(root)
    answer = ask("pull", str(root))
    assert answer.exit_code == 0, answer.stderr
    assert {path: parts(copy).get(path) for path in merged} == merged
    assert "archive compact --close-all" in answer.stdout
    assert likes(copy) == rows + 3, "late events are copied"
    assert ask("compact", "--close-all").exit_code == 0
    assert likes(copy) == rows + 3
    assert verify_archive(load(ToolsSettings, "TOOLS_")).findings == []
