"""The dashboards in a real Grafana in a real browser, if both are available (REQUIRE_GRAFANA=1: must be)."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.request import Request, urlopen

import pytest

from services.monitoring.dashboards.pages import PAGES
from testing.environment.images.recipes import references
from testing.harness.browser import NoBrowserError, browser, open_page
from testing.harness.stack import METRICS, PIPELINE
from testing.harness.waiting import wait_for
from testing.monitoring.prometheus import of_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page as Sheet

    from services.monitoring.dashboards.page import Page
    from testing.harness.stack import Stack

    MakeStack = Callable[..., Stack]

DRAWN_SECONDS = 5
HIGH = 3200
DRAWN = """(titles) => {
    const busy = document.querySelector('[aria-label="Panel loading bar"], [data-testid*="Spinner"]');
    const there = title => document.querySelector(`[data-testid="data-testid Panel header ${title}"]`);
    return !busy && titles.every(there);
}"""


def test_dashboard_load_in_grafana(stack: MakeStack) -> None:
    image = next(str(one) for one in references() if one.variable == "GRAFANA_IMAGE")
    if subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True).returncode:
        _missing(f"{image} is not here; where images can be pulled: docker pull {image}")
    one = stack({"DEMO_RATE": "100"}, profiles=("demo",))
    one.up(*PIPELINE, *METRICS, "grafana")
    password = (one.secrets / "grafana_admin").read_text(encoding="utf-8").strip()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        _ask(one, "/api/search", None)
    assert _ask(one, "/api/datasources/uid/prometheus/health", password)["status"] == "OK"
    assert _ask(one, "/api/dashboards/home", password)["dashboard"]["title"] == PAGES[0].title
    wait_for(lambda: of_stack(one).values("rate(archive_commit_rows_total[1m])"), 120, "data to draw")
    try:
        with browser() as started, open_page(started, HIGH) as page:
            page.goto(one.url("GRAFANA_PORT", "/login"))
            page.fill('input[name="user"]', "admin")
            page.fill('input[name="password"]', password)
            page.click('button[type="submit"]')
            page.wait_for_url(lambda address: "/login" not in address)
            took = {shown.title: _open(page, one, shown) for shown in PAGES}
    except NoBrowserError as error:
        _missing(str(error))
    print("\n".join(f"{title}: {seconds:.1f} s" for title, seconds in took.items()))
    assert max(took.values()) <= DRAWN_SECONDS


def _open(page: Sheet, stack: Stack, shown: Page) -> float:
    """Open a dashboard over 24 hours; returns the seconds until its last panel is drawn."""
    titles = [panel.title for panel in shown.panels]
    began = time.monotonic()
    page.goto(stack.url("GRAFANA_PORT", f"/d/archive-{shown.name}?from=now-24h&to=now&kiosk"))
    page.wait_for_function(DRAWN, arg=titles)
    took = time.monotonic() - began
    assert page.get_by_text("No data", exact=True).count() == 0, shown.title
    assert page.locator('[data-testid*="Panel status error"]').count() == 0, shown.title
    return took


def _ask(stack: Stack, path: str, password: str | None) -> Any:
    request = Request(stack.url("GRAFANA_PORT", path))  # noqa: S310 - the test's own http address
    if password is not None:
        request.add_header("Authorization", "Basic " + b64encode(f"admin:{password}".encode()).decode())
    with urlopen(request, timeout=10) as reply:  # noqa: S310 - as above
        return json.loads(reply.read())


def _missing(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_GRAFANA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
