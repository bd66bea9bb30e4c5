"""The examples in README are what the commands print; `…` stands for text that differs."""

from __future__ import annotations

import doctest
import re
import shlex
from typing import TYPE_CHECKING

from services.shared.event import Reason, Reject, Stream
from services.tools.main import app
from services.tools.tests.making import START_US, close_hours, note_gaps, write
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from services.tools.tests.conftest import Ask

README = REPOSITORY / "services" / "tools" / "README.md"
_EXAMPLE = re.compile(r"```console\n\$ archive (.*?)\n(.*?)```", re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Return each example's words and what it prints."""
    return _EXAMPLE.findall(README.read_text(encoding="utf-8"))


def test_the_examples_in_the_readme_are_what_is_printed(
    root: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_gaps(root, (600, 1500))
    write(
        root,
        Stream.REJECTS,
        [Reject(Reason.NOT_JSON, b"not an event", "wss://host.test", START_US).encode()],
    )
    close_hours(root)
    monkeypatch.chdir(tmp_path)
    checker = doctest.OutputChecker()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert len(examples()) > 8
    for words, printed in examples():
        shown = ask(*shlex.split(words)).output
        # A prompt's own three dots would be an ellipsis too.
        wanted = printed.replace("…", "...")
        assert checker.check_output(wanted, shown, flags), f"archive {words}\n{shown}"


def test_every_command_is_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    names = [command.callback.__name__ for command in app.registered_commands if command.callback]
    names += [group.name for group in app.registered_groups if group.name]
    assert not [name for name in names if f"archive {name}" not in text]
