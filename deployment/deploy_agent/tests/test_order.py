"""The deploy agent's only door: three verbs and a whole commit, to the letter."""

from __future__ import annotations

import pytest

from deployment.deploy_agent.order import Order, parse

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("verb", ["deploy", "rollback", "status"])
def test_an_order_is_a_verb_and_a_commit(verb: str) -> None:
    assert parse(f"{verb} {SHA}") == Order(verb, SHA)


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "id",
        SHA,
        "deploy",
        f"deploy {SHA[:12]}",
        f"deploy {SHA.upper()}",
        f"deploy  {SHA}",
        f" deploy {SHA}",
        f"deploy {SHA}\n",
        f"deploy {SHA}; id",
        f"deploy {SHA} && id",
        f"deploy {SHA}$(id)",
        f"deploy {SHA}0",
        f"destroy {SHA}",
        f"work deploy {SHA}",
    ],
)
def test_anything_else_is_none(asked: str) -> None:
    assert parse(asked) is None
