"""What a host must have before anything changes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from deployment.deploy_agent.errors import Refused
from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.preflight import FREE_ENOUGH, here, host, room

if TYPE_CHECKING:
    from pathlib import Path


class Usage(NamedTuple):
    """As shutil tells it."""

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
def test_room_is_a_share_of_a_small_disk_and_enough_of_a_large_one(
    total: int, free: int, *, fits: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(total, total - free, free))
    if fits:
        room(tmp_path)
    else:
        with pytest.raises(Refused, match="make room"):
            room(tmp_path)


def test_a_name_that_leads_here_is_taken() -> None:
    here("localhost")
    here("http://127.0.0.1")


def test_a_name_that_leads_elsewhere_is_told_with_the_mend() -> None:
    # An address for documentation: nobody has it.
    with pytest.raises(Refused, match=r"leads to 192\.0\.2\.1, not here; mend its DNS records"):
        here("192.0.2.1")


def test_a_name_that_leads_nowhere_is_told_with_the_mend() -> None:
    with pytest.raises(Refused, match="has no address"):
        here("nowhere.invalid")


def test_a_host_without_settings_is_told_which(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with pytest.raises(Refused, match="has no IMAGE_PREFIX"):
        host(layout)
    layout.settings.parent.mkdir(parents=True)
    layout.settings.write_text("IMAGE_PREFIX=r/x\nSITE_ADDRESS=\n")
    with pytest.raises(Refused, match="has no SITE_ADDRESS"):
        host(layout)
