"""README's pictures are there, small, and no older than what they show."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from testing.docs.pictures import architecture, calendar, load
from testing.docs.pictures.__main__ import FOLDER, LARGEST_BYTES
from testing.harness.daemons import REPOSITORY
from testing.performance.load.plots import plots

SHOWN = sorted(path for path in FOLDER.iterdir() if path.suffix in (".svg", ".png"))


def test_every_picture_is_small_and_shown() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(SHOWN) == 4
    for path in SHOWN:
        assert path.stat().st_size < LARGEST_BYTES
        assert f"](testing/docs/pictures/{path.name})" in readme


@pytest.mark.parametrize(
    "path", [path for path in SHOWN if path.suffix == ".svg"], ids=lambda path: path.name
)
def test_a_drawing_can_be_read(path: Path) -> None:
    root = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    assert root.tag.endswith("svg")


def test_the_architecture_is_current() -> None:
    drawn = (FOLDER / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == architecture.drawing(), "run `python -m testing.docs.pictures architecture`"


def test_every_word_on_it_is_a_module_or_package() -> None:
    names = {path.stem for path in (REPOSITORY / "services").rglob("*.py")}
    folders = {path.name for path in (REPOSITORY / "services").rglob("*") if path.is_dir()}
    assert not {stage.name for stage in architecture.STAGES} - names - folders


def test_the_calendar_is_current() -> None:
    drawn = (FOLDER / "calendar.svg").read_text(encoding="utf-8")
    assert drawn == calendar.picture(), "run `python -m testing.docs.pictures calendar`"


def test_the_plot_is_found_by_the_title_that_reports_give_it() -> None:
    assert f'"{load.TITLE}"' in Path(plots.__code__.co_filename).read_text(encoding="utf-8")
    with pytest.raises(load.NoReportError, match="has no plot"):
        load.plot("<html>")
