"""Whatever a page of ours links to in this repository is there, headings too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.docs.markdown import Link, anchors, links, pages

if TYPE_CHECKING:
    from pathlib import Path


def test_every_link_leads_somewhere() -> None:
    found = [link for page in pages() for link in links(page)]
    assert len(found) > 100
    assert not [str(link) for link in found if link.is_broken()]


def test_what_is_not_there_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two`: three\n\n[a](#one-two-three) [b](other.md) `[c](x)` [d](#four)\n", "utf-8")
    assert [link.target for link in links(page) if link.is_broken()] == ["other.md", "#four"]


def test_anchors_are_those_of_github() -> None:
    text = "# Is it whole?\n\n## `archive sql`: questions\n\n```\n# not one\n```\n\n# Is it whole?\n"
    assert anchors(text) == {"is-it-whole", "archive-sql-questions", "is-it-whole-1"}
    assert not Link(pages()[0], "#").is_broken()
