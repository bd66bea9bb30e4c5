"""The events about accounts themselves: who is to be looked up anew, who is active and who no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.events.names import iso
from testing.events.text import handle

if TYPE_CHECKING:
    from testing.events.dice import Dice

_RELAY_SEQ = 31_500_000_000
"""The relay's sequence number of event 0; identities and accounts carry it."""

_STATUSES = ("deactivated", "deleted", "takendown", "suspended", "throttled", "desynchronized")


def identity(dice: Dice, i: int, actor: str, relayed_us: int) -> str:
    """Return kind and body of an identity event; half of them name the handle, as until 2025 all did."""
    named = f'"handle":"{handle(dice)}",' if dice.chance(0.5) else ""
    body = f'{{"did":"{actor}",{named}"seq":{_RELAY_SEQ + i},"time":"{iso(relayed_us)}"}}'
    return f'"kind":"identity","identity":{body}'


def account(dice: Dice, i: int, actor: str, relayed_us: int) -> str:
    """Return kind and body of an account event; a status only where it is not active."""
    status = dice.pick_zipf(_STATUSES) if dice.chance(0.4) else ""
    active, said = ("false", f',"status":"{status}"') if status else ("true", "")
    body = f'{{"active":{active},"did":"{actor}","seq":{_RELAY_SEQ + i},"time":"{iso(relayed_us)}"{said}}}'
    return f'"kind":"account","account":{body}'
