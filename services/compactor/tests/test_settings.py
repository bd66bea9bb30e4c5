"""The compactor's names, and what they refuse."""

from __future__ import annotations

import pytest

from services.compactor.settings import CompactorSettings
from services.shared.settings import SettingsError, load


def test_a_misspelt_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPACT_AFTER_MINUTE", "5")
    with pytest.raises(SettingsError, match="COMPACT_AFTER_MINUTES"):
        load(CompactorSettings, "COMPACT_")


def test_settings_of_other_services_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRITER_INTERVAL", "5")
    assert load(CompactorSettings, "COMPACT_").compact_after_minutes == 15
