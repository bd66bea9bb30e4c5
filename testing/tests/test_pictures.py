"""README's pictures exist, are small, and are up to date."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from testing.docs.pictures import calendar, sources
from testing.docs.pictures.__main__ import FOLDER, LARGEST_BYTES
from testing.harness.daemons import REPOSITORY
from testing.performance.load.report import plots

SHOWN = sorted(path for path in FOLDER.iterdir() if path.suffix in (".svg", ".png"))


def test_every_picture_is_small_and_in_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(SHOWN) == 3
    for path in SHOWN:
        assert path.stat().st_size < LARGEST_BYTES
        assert f"](testing/docs/pictures/{path.name})" in readme


@pytest.mark.parametrize(
    "path", [path for path in SHOWN if path.suffix == ".svg"], ids=lambda path: path.name
)
def test_a_drawing_is_valid_svg(path: Path) -> None:
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    assert root.tag.endswith("svg")


def test_the_calendar_is_current() -> None:
    drawn = (FOLDER / "calendar.svg").read_text(encoding="utf-8")
    assert drawn == calendar.picture(), "run `python -m testing.docs.pictures calendar`"


def test_the_title_of_the_plot_is_that_in_reports() -> None:
    assert f'"{sources.TITLE}"' in Path(plots.__code__.co_filename).read_text(encoding="utf-8")
    with pytest.raises(sources.NoReportError, match="has no plot"):
        sources.load_plot("<html>")
