"""Pictures of Prometheus' alerts page and of Alertmanager, from a running stack, in a real browser."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Error

from testing.harness.browser import NoBrowserError, browser, open_page

UNUSABLE = 2
HIGH = 1000


def main(words: list[str]) -> int:
    """Write both pictures; return 2 where there is no browser, or no page."""
    parser = argparse.ArgumentParser(prog="python -m testing.monitoring.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--alertmanager", default="http://127.0.0.1:9093")
    asked = parser.parse_args(words)
    asked.folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "prometheus_alerts": f"{asked.prometheus}/alerts",
        "alertmanager": f"{asked.alertmanager}/#/alerts",
    }
    try:
        with browser() as one:
            for name, address in pages.items():
                with open_page(one, HIGH) as page:
                    said = page.goto(address, wait_until="networkidle")
                    if said is None or not said.ok:
                        print(f"{address} shows no page; Debian's builds of these programs have none")
                        return UNUSABLE
                    page.screenshot(path=asked.folder / f"{name}.png", full_page=True)
    except (NoBrowserError, Error) as error:
        print(error)
        return UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
