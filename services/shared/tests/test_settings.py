"""Invalid settings are refused before anything starts, with their name and the remedy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from pydantic import Field

from services.shared.settings import PLACEHOLDERS, Names, Settings, SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "correct-horse-battery"  # noqa: S105 - must not appear in a message


class Example(Settings):
    """Settings of a daemon called example."""

    example_port: int = Field(default=1, ge=0, le=65535)
    example_names: Names = ()


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("EXAMPLE_", "ARCHIVE_", "REDIS_", "OTHER_")):
            monkeypatch.delenv(name)


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Return the error message of `load` for this environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load(Example, "EXAMPLE_")
    return str(refused.value)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load(Example, "EXAMPLE_") == Example()


def test_a_fields_name_in_capitals_is_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_PORT", "7")
    monkeypatch.setenv("ARCHIVE_LOOK_BACK_HOURS", "12.5")
    settings = load(Example, "EXAMPLE_")
    assert (settings.example_port, settings.archive_look_back_hours) == (7, 12.5)


def test_an_empty_value_gives_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_PORT", "")
    assert load(Example, "EXAMPLE_").example_port == 1


@pytest.mark.parametrize(
    ("given", "names"),
    [("", ()), ("a", ("a",)), ("a,b", ("a", "b")), (" a , b ,, ", ("a", "b")), (",", ())],
)
def test_a_list_is_comma_separated(
    given: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXAMPLE_NAMES", given)
    assert load(Example, "EXAMPLE_").example_names == names


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Example().example_port = 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("EXAMPLE_PROT", "did you mean EXAMPLE_PORT?"),
        ("ARCHIVE_LOG_LEVLE", "did you mean ARCHIVE_LOG_LEVEL?"),
        ("EXAMPLE_ZZZZZZZZ", "README"),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(
    name: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refusal(monkeypatch, **{name: "1"})
    assert message.startswith(f"{name}: no such setting")
    assert hint in message


def test_all_unknown_names_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, EXAMPLE_PROT="1", EXAMPLE_NAMSE="2")
    assert [line.partition(":")[0] for line in message.splitlines()] == ["EXAMPLE_NAMSE", "EXAMPLE_PROT"]


def test_the_other_daemons_settings_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_STREAMS", "posts")
    monkeypatch.setenv("OTHER_TYPO", "1")
    assert load(Example, "EXAMPLE_") == Example()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXAMPLE_PORT", "65536"),
        ("EXAMPLE_PORT", "-1"),
        ("EXAMPLE_PORT", "many"),
        ("ARCHIVE_LOOK_BACK_HOURS", "0"),
        ("ARCHIVE_LOG_LEVEL", "loud"),
        ("ARCHIVE_DISK_FREE_MIN_MB", "-1"),
    ],
)
def test_an_invalid_value_is_refused_with_name_and_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = refusal(monkeypatch, **{name: value})
    assert message.startswith(f"{name}: ")
    assert value in message


@pytest.mark.parametrize("word", sorted(PLACEHOLDERS))
def test_a_placeholder_password_is_refused_in_the_url(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, REDIS_URL=f"redis://ingester:{word.upper()}@redis/0")
    assert message.startswith("REDIS_URL: the password is a placeholder") or "REDIS_URL" in message
    assert "make secrets" in message


def test_a_placeholder_password_is_refused_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("changeme\n")
    assert "make secrets" in refusal(monkeypatch, REDIS_PASSWORD_FILE=str(file))


def test_a_password_in_the_url_is_not_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, REDIS_URL=f"redis://a:{SECRET}@redis/0", EXAMPLE_PORT="x")
    assert SECRET not in message


def test_the_password_file_takes_precedence_and_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("p@ss/w:rd \n")
    monkeypatch.setenv("REDIS_URL", "redis://ingester:other@redis:6380/2")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", str(file))
    address = load(Example, "EXAMPLE_").redis_address()
    assert address == "redis://ingester:p%40ss%2Fw%3Ard@redis:6380/2"


def test_without_a_password_file_the_url_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://ingester:{SECRET}@redis:6380/2")
    assert load(Example, "EXAMPLE_").redis_address() == f"redis://ingester:{SECRET}@redis:6380/2"


def test_a_missing_password_file_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "REDIS_PASSWORD_FILE" in refusal(monkeypatch, REDIS_PASSWORD_FILE=str(tmp_path / "none"))


@pytest.mark.parametrize(
    "url",
    ["redis://ingester:pw@redis:port/0", "redis://ingester:pw@redis:99999/0", "http://ingester:pw@redis/0"],
)
def test_an_invalid_address_is_refused_by_name(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "REDIS_URL" in refusal(monkeypatch, REDIS_URL=url)
