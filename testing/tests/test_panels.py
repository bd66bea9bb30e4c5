"""The picture and the list of a dashboard, from values of Prometheus."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from rich.console import Console

from services.monitoring.dashboards.pages import PAGES
from testing.harness.redis import free_port
from testing.monitoring.panels.__main__ import UNUSABLE, main, table
from testing.monitoring.panels.answers import Answer, Line, readable
from testing.monitoring.panels.draw import draw

if TYPE_CHECKING:
    from pathlib import Path

    from services.monitoring.dashboards.page import Page


def _answers(page: Page, height: float) -> list[Answer]:
    return [
        Answer(
            panel,
            tuple(
                (query, (Line("one", [(60.0 * minute, height * minute) for minute in range(1, 10)]),))
                for query in panel.queries
            ),
        )
        for panel in page.panels
    ]


def test_other_values_give_another_picture(tmp_path: Path) -> None:
    page, pictures = PAGES[0], []
    for height in (0.0, 1.0):
        path = tmp_path / f"{height}.png"
        draw(page, _answers(page, height), path)
        with Image.open(path) as picture:
            assert picture.width == 1800
            pictures.append(picture.tobytes())
    assert pictures[0] != pictures[1]


def test_a_panel_without_values_shows_no_data(tmp_path: Path) -> None:
    page = PAGES[0]
    nothing = [Answer(panel, tuple((query, ()) for query in panel.queries)) for panel in page.panels]
    draw(page, nothing, tmp_path / "none.png")
    output = io.StringIO()
    Console(file=output, width=200).print(table(page.title, nothing))
    assert output.getvalue().count("no data") == sum(len(panel.queries) for panel in page.panels)


def test_a_missing_prometheus_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    assert main(["--prometheus", address, "--picture", str(tmp_path / "x.png")]) == UNUSABLE
    assert "start the stack first" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "short", "0"),
        (12_345, "eps", "12.3 k/s"),
        (0.5, "percentunit", "50 %"),
        (0.0213, "s", "21.3 ms"),
        (90, "s", "1.5 min"),
        (3 * 1024**3, "bytes", "3 GiB"),
        (2500, "Bps", "2.5 kB/s"),
        (math.nan, "s", "NaN"),
    ],
)
def test_units(value: float, unit: str, text: str) -> None:
    assert readable(value, unit) == text


def test_the_unit_of_every_panel_is_known() -> None:
    for page in PAGES:
        for panel in page.panels:
            assert readable(1.0, panel.unit)
