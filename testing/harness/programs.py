"""Commands that tests run (one form for all of them, Docker included), and how our own programs end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

OUTPUT_SHOWN = 4000
"""Characters of a failed command's output that its error message holds."""
LABEL = "bluesky-archive=test"
"""Of every container, network and image that is made for a test."""
INTERRUPTED = 128 + signal.SIGINT
"""The exit status of a program that was interrupted."""


class CommandError(AssertionError):
    """A command failed; the message holds the command, its exit code and the end of its output."""


def run(  # noqa: PLR0913 - the options of a subprocess
    *words: str,
    check: bool = True,
    stdin: str = "",
    merged: bool = False,
    seconds: float | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return its exit code and output, as text.

    Raises CommandError for an exit code other than 0 if `check` is set, TimeoutExpired after `seconds`.
    `merged`: standard error is part of `stdout`. Without `stdin` the command reads from /dev/null.
    """
    done = subprocess.run(
        words,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        text=True,
        timeout=seconds,
        cwd=cwd,
        env=env,
        **({"input": stdin} if stdin else {"stdin": subprocess.DEVNULL}),
    )
    if check and done.returncode != 0:
        output = (done.stdout + (done.stderr or "")).strip()[-OUTPUT_SHOWN:]
        raise CommandError(f"{' '.join(words)}: exit code {done.returncode}\n{output}")
    return done


def start(
    *words: str, log: Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; its output is appended to `log`."""
    with log.open("ab") as file:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def minimal_environment(**added: str) -> dict[str, str]:
    """Return PATH, HOME and DOCKER_HOST of this process, and nothing else but `added`."""
    names = ("PATH", "HOME", "DOCKER_HOST")
    return {**{name: os.environ[name] for name in names if name in os.environ}, **added}


def docker(*words: str, check: bool = True, seconds: float | None = None) -> str:
    """Run a Docker command; returns its standard output. Raises as `run`."""
    return run("docker", *words, check=check, seconds=seconds).stdout


def inspect(container: str) -> dict[str, Any]:
    """Return what the engine knows about a container."""
    known: dict[str, Any] = json.loads(docker("inspect", container))[0]
    return known


def run_container(name: str, network: str, image: str, *command: str, options: tuple[str, ...] = ()) -> None:
    """Start a labelled container in the background, with a small share of the processor."""
    common = ("--detach", f"--label={LABEL}", f"--network={network}", "--cpu-shares=64", f"--name={name}")
    docker("run", *common, *options, image, *command)


def remove_container(*names: str) -> None:
    """Remove containers and their volumes, running or not; missing ones are ignored."""
    docker("rm", "--force", "--volumes", *names, check=False)


def as_program(main: Callable[[list[str]], int]) -> int:
    """Run a program on its command line; SIGINT and SIGTERM end it with a message and no traceback."""
    unwind_on_signals()
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        print("Interrupted: every started process was ended; there is no result.", file=sys.stderr)
        return INTERRUPTED


def unwind_on_signals() -> None:
    """Make SIGTERM and SIGINT raise KeyboardInterrupt in the main thread, so that child processes are ended.

    SIGINT too: it is ignored by default in a shell's background jobs.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
