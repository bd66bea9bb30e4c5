"""What can befall a container of a stack; each makes it happen, sees that it did, and takes it back."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

from testing.harness.stack import inspect

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from testing.harness.stack import Stack

    Fault = Callable[[Stack, str, random.Random], None]

KILLED = 137


def killed(stack: Stack, service: str, dice: random.Random) -> None:
    """Kill -9, and start again at once or a little later."""
    name = _name(stack, service)
    _docker("kill", "--signal", "KILL", name)
    state = inspect(name)["State"]
    assert (state["Running"], state["ExitCode"]) == (False, KILLED), state
    _wait(dice)
    _docker("start", name)


def stopped(stack: Stack, service: str, dice: random.Random) -> None:
    """Ask it to stop, which it does in order, and start it again."""
    name = _name(stack, service)
    _docker("stop", "--time", "60", name)
    state = inspect(name)["State"]
    assert (state["Running"], state["ExitCode"]) == (False, 0), state
    _wait(dice)
    _docker("start", name)


def paused(stack: Stack, service: str, dice: random.Random) -> None:
    """Freeze all of its processes for a while."""
    name = _name(stack, service)
    _docker("pause", name)
    assert inspect(name)["State"]["Paused"]
    _wait(dice)
    _docker("unpause", name)


def cut_off(stack: Stack, service: str, dice: random.Random) -> None:
    """Take it from its network, and plug it in again under its name."""
    name, network = _name(stack, service), f"{stack.name}_inside"
    _docker("network", "disconnect", network, name)
    assert network not in inspect(name)["NetworkSettings"]["Networks"]
    _wait(dice)
    _docker("network", "connect", "--alias", service, network, name)


def _name(stack: Stack, service: str) -> str:
    return f"{stack.name}-{service}-1"


def _wait(dice: random.Random) -> None:
    """Let it last: the length is the experiment, nothing is expected to have happened by then."""
    threading.Event().wait(dice.uniform(0.0, 3.0))


def _docker(*words: str) -> None:
    done = subprocess.run(["docker", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
