"""Preflight checks of a host, and the sentences of their refusals."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.preflight import (
    FREE_ENOUGH,
    Refused,
    free_space,
    host,
    leads_here,
    registry_error,
)

if TYPE_CHECKING:
    from pathlib import Path


class Usage(NamedTuple):
    """As shutil.disk_usage returns it."""

    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("total", "free", "fits"),
    [
        (80_000_000_000, 10_000_000_000, True),
        (80_000_000_000, 9_999_000_000, False),
        (1_000_000_000_000, FREE_ENOUGH, True),
        (10_000_000_000, 1_500_000_000, True),
        (10_000_000_000, 1_499_000_000, False),
    ],
)
def test_free_space_is_a_share_of_a_small_disk_and_enough_of_a_large_one(
    total: int, free: int, *, fits: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(total, total - free, free))
    if fits:
        free_space(tmp_path)
    else:
        with pytest.raises(Refused, match="make room"):
            free_space(tmp_path)


def test_a_name_that_leads_here_is_accepted() -> None:
    leads_here("localhost")
    leads_here("http://127.0.0.1")


def test_a_name_that_leads_elsewhere_is_refused_with_the_remedy() -> None:
    # An address reserved for documentation.
    with pytest.raises(Refused, match=r"leads to 192\.0\.2\.1, not here; correct its DNS records"):
        leads_here("192.0.2.1")


def test_a_name_without_an_address_is_refused() -> None:
    with pytest.raises(Refused, match="has no address"):
        leads_here("nowhere.invalid")


def test_missing_settings_of_a_host_are_named(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with pytest.raises(Refused, match="has no IMAGE_PREFIX"):
        host(layout)
    layout.settings.parent.mkdir(parents=True)
    layout.settings.write_text("IMAGE_PREFIX=r/x\nSITE_ADDRESS=\n")
    with pytest.raises(Refused, match="has no SITE_ADDRESS"):
        host(layout)


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("Error response from daemon: manifest unknown: manifest unknown", "let its build finish"),
        ("manifest for r/x not found: manifest unknown", "let its build finish"),
        ("unauthorized: authentication required", "sudo docker login"),
        ("denied: permission_denied: read_package", "sudo docker login"),
        ("dial tcp: lookup ghcr.io: no such host", "try again when it answers"),
        ("", "no reason given"),
    ],
)
def test_each_registry_error_has_its_remedy(message: str, remedy: str) -> None:
    sentence = registry_error("r/x:1", message)
    assert "r/x:1" in sentence
    assert remedy in sentence
    assert "\n" not in sentence
