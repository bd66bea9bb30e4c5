"""Screenshots by a real browser, and the report of a missing page."""

from __future__ import annotations

import functools
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from services.shared.probes import in_thread
from testing.harness.browser import LAPTOP_WIDTH, NoBrowserError, browser
from testing.harness.fixtures import missing
from testing.monitoring.screenshots import UNUSABLE, main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    try:
        with browser():
            pass
    except NoBrowserError as error:
        missing(str(error))
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / "index.html").write_text("<h1>Alerts</h1>", encoding="utf-8")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=tmp_path)
    one = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with in_thread(one) as port:
        yield f"http://127.0.0.1:{port}"


def test_both_pages_are_captured(server: str, tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    assert main([str(folder), "--prometheus", server, "--alertmanager", server]) == 0
    for name in ("prometheus_alerts", "alertmanager"):
        with Image.open(folder / f"{name}.png") as picture:
            assert picture.width == LAPTOP_WIDTH


def test_a_missing_page_is_reported(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(tmp_path), "--prometheus", f"{server}/elsewhere", "--alertmanager", server]
    assert main(words) == UNUSABLE
    assert "has no page" in capsys.readouterr().out
