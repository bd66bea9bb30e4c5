"""How a daemon ends: its exit code, and one log line with the reason."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from services.shared.daemon import BROKEN, DONE, MISCONFIGURED, run
from services.shared.errors import BrokenInvariant
from services.shared.settings import Settings

if TYPE_CHECKING:
    from services.shared.lifecycle import Stopping


class Known(Settings):
    """Settings of a daemon without settings of its own."""


def test_a_signal_ends_the_daemon_with_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: Known, stopping: Stopping) -> int:
        signal.raise_signal(signal.SIGTERM)
        assert stopping.sleep(10)
        return DONE

    assert run("one", Known, "ONE_", work) == DONE
    assert '"event": "stop"' in capsys.readouterr().err


def test_a_broken_invariant_is_logged_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def work(*_: object) -> int:
        raise BrokenInvariant("two owners; stop one")

    assert run("one", Known, "ONE_", work) == BROKEN
    output = capsys.readouterr().err
    assert "two owners; stop one" in output
    assert "Traceback" not in output


def test_invalid_settings_are_printed_before_anything_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object) -> int:
        raise AssertionError("it started")

    monkeypatch.setenv("ONE_NAME", "1")
    assert run("one", Known, "ONE_", work) == MISCONFIGURED
    assert "ONE_NAME: no such setting" in capsys.readouterr().err


def test_any_other_error_is_raised() -> None:
    def work(*_: object) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run("one", Known, "ONE_", work)
