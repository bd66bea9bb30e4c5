"""A headless browser: Chromium of this machine, or the one that Playwright installed."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from playwright.sync_api import Error, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
LAPTOP_WIDTH = 1440


class NoBrowserError(Exception):
    """No browser starts on this machine; the message names the remedy."""


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; raises NoBrowserError."""
    found = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=found, args=list(QUIET))
        except Error as error:
            raise NoBrowserError(
                f"no browser starts on this machine ({error.message.splitlines()[0]}); install chromium, "
                "or run: python -m playwright install chromium"
            ) from error
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def open_page(one: Browser, height: int) -> Iterator[Page]:
    """Open a page as wide as a laptop and `height` pixels high, so that nothing needs scrolling."""
    page = one.new_page(viewport={"width": LAPTOP_WIDTH, "height": height})
    try:
        yield page
    finally:
        page.close()
