"""README tells the truth about every setting."""

from __future__ import annotations

from testing.docs.settings_table import README, replaced, table


def test_the_table_in_readme_is_current() -> None:
    text = README.read_text(encoding="utf-8")
    assert replaced(text) == text, "run `python -m testing.docs.settings_table`"


def test_every_setting_says_what_it_does() -> None:
    rows = table().splitlines()[2:]
    assert len(rows) > 30
    assert not [row for row in rows if row.endswith("| None |")]
