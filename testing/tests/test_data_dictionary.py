"""DATA.md matches the schemas, and its examples print the output shown below them."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from services.archive.schema import SCHEMAS
from services.shared.event import Stream
from testing.docs.data_dictionary.__main__ import DATA
from testing.docs.data_dictionary.meanings import MEANINGS, meaning_of
from testing.docs.data_dictionary.tables import build, replaced
from testing.docs.markdown import blocks, run, with_output
from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing

if TYPE_CHECKING:
    from pathlib import Path

README = REPOSITORY / "README.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose `archive` is the sample."""
    made = tmp_path_factory.mktemp("sample")
    build(made / "archive")
    return made


@pytest.fixture
def pandas() -> None:
    """Require pandas."""
    if importlib.util.find_spec("pandas") is None:
        missing("no pandas here; pip install pandas")


def test_the_tables_are_current(folder: Path) -> None:
    text = DATA.read_text(encoding="utf-8")
    assert replaced(text, folder / "archive") == text, "run `python -m testing.docs.data_dictionary`"


def test_exactly_the_columns_of_the_schemas_are_explained() -> None:
    asked = {(stream.value, name) for stream in Stream for name in SCHEMAS[stream].names}
    assert all(meaning_of(*one).what for one in asked)
    named = {f"{stream}.{name}" for stream, name in asked} | {name for _, name in asked}
    assert not set(MEANINGS) - named


@pytest.mark.usefixtures("pandas")
def test_every_example_prints_the_output_below_it(folder: Path) -> None:
    text = DATA.read_text(encoding="utf-8")
    assert len(list(blocks(text, "sql", "python"))) == len(list(blocks(text, "text"))) > 8
    assert with_output(text, folder) == text, "run `python -m testing.docs.data_dictionary`"


def test_an_outdated_output_is_replaced(folder: Path) -> None:
    page = "```python\nprint(6 * 7)\n```\n\n```text\n43\n```\n"
    assert with_output(page, folder) == page.replace("43", "42")


@pytest.mark.usefixtures("pandas")
def test_the_examples_of_readme_run(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(folder / "archive")
    shown = list(blocks(README.read_text(encoding="utf-8"), "sql", "python"))
    assert {block.language for block in shown} == {"sql", "python"}
    assert all(run(block, tmp_path) for block in shown)
