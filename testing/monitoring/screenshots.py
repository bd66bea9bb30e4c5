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
    """Write both pictures; returns 2 without a browser or a page."""
    parser = argparse.ArgumentParser(prog="python -m testing.monitoring.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the pictures")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--alertmanager", default="http://127.0.0.1:9093")
    options = parser.parse_args(words)
    options.folder.mkdir(parents=True, exist_ok=True)
    pages = {
        "prometheus_alerts": f"{options.prometheus}/alerts",
        "alertmanager": f"{options.alertmanager}/#/alerts",
    }
    try:
        with browser() as one:
            for name, address in pages.items():
                with open_page(one, HIGH) as page:
                    reply = page.goto(address, wait_until="networkidle")
                    if reply is None or not reply.ok:
                        print(f"{address} has no page; Debian's builds of these programs have none")
                        return UNUSABLE
                    page.screenshot(path=options.folder / f"{name}.png", full_page=True)
    except (NoBrowserError, Error) as error:
        print(error)
        return UNUSABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
