"""The links of every Markdown file have targets, and README's table of settings is current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.docs.markdown import Link, anchors, links, pages
from testing.docs.settings_table import README, replaced, table

if TYPE_CHECKING:
    from pathlib import Path


def test_every_link_has_a_target() -> None:
    found = [link for page in pages() for link in links(page)]
    assert len(found) > 100
    assert not [str(link) for link in found if link.is_broken()]


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two`: three\n\n[a](#one-two-three) [b](other.md) `[c](x)` [d](#four)\n", "utf-8")
    assert [link.target for link in links(page) if link.is_broken()] == ["other.md", "#four"]


def test_anchors_match_githubs() -> None:
    text = "# Is it whole?\n\n## `archive sql`: questions\n\n```\n# not one\n```\n\n# Is it whole?\n"
    assert anchors(text) == {"is-it-whole", "archive-sql-questions", "is-it-whole-1"}
    assert not Link(pages()[0], "#").is_broken()


def test_the_settings_table_in_readme_is_current() -> None:
    text = README.read_text(encoding="utf-8")
    assert replaced(text) == text, "run `python -m testing.docs.settings_table`"


def test_every_setting_has_a_description() -> None:
    rows = table().splitlines()[2:]
    assert len(rows) > 30
    assert not [row for row in rows if row.endswith("| None |")]
