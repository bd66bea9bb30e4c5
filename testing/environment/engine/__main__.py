"""The steps of `make engine`; each is skipped if it is done already, and prints what it does."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from testing.environment.engine.debian import NotDebianError, Suite, mirror
from testing.harness import programs

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = ("docker.io", "iptables", "ca-certificates")
TOOLS: dict[str, Callable[[], bool]] = {
    "strace": lambda: shutil.which("strace") is not None,
    "libfaketime": lambda: any(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")),
    "chromium": lambda: shutil.which("chromium") is not None,
    "pebble": lambda: shutil.which("pebble") is not None,
    "rclone": lambda: shutil.which("rclone") is not None,
    "e2fsprogs": lambda: shutil.which("mkfs.ext4") is not None,
    "swift-proxy": lambda: shutil.which("swift-proxy-server") is not None,
    "swift-account": lambda: shutil.which("swift-account-server") is not None,
    "swift-container": lambda: shutil.which("swift-container-server") is not None,
    "swift-object": lambda: shutil.which("swift-object-server") is not None,
}
"""Further packages that tests need, and whether they are installed."""
PLUGINS = {"docker-compose": "compose", "docker-buildx": "buildx"}
"""Debian 12 has only Compose v1; Debian 13's plugins run on Debian 12's libc."""
PLUGIN_SUITE = Suite("trixie")
PLUGIN_FOLDER = Path.home() / ".docker" / "cli-plugins"
DAEMON_LOG = Path("/var/log/dockerd.log")
READY_SECONDS = 60.0


def main() -> int:
    """Set up what is missing; returns 1, with the reason, if that fails."""
    try:
        if not _answers():
            _refuse_unfit()
            _install(() if shutil.which("dockerd") else PACKAGES)
            _start_engine()
        elif os.environ.get("CI") == "true":
            # In CI a missing tool fails its tests; elsewhere the machine's owner decides.
            _refuse_unfit()
            _install(())
        _print(f"engine {_output_of('version', '--format', '{{.Server.Version}}')} answers")
        _install_plugins()
    except (NotDebianError, TimeoutError, programs.CommandError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _refuse_unfit() -> None:
    if os.geteuid() != 0:
        raise NotDebianError(
            "make engine sets up a bare Debian machine and needs root there; on your own machine install "
            "Docker Engine 20.10 or newer with the Compose and Buildx plugins, and start it"
        )
    mirror()


def _install(engine: tuple[str, ...]) -> None:
    tools = tuple(package for package, is_there in TOOLS.items() if not is_there())
    packages = (*engine, *tools)
    if not packages:
        return
    _print(f"installing Debian's {', '.join(packages)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        programs.run("apt-get", *words, env=quiet)


def _start_engine() -> None:
    """Start the daemon in a session of its own, as there may be no init system."""
    _print(f"starting dockerd; its log is {DAEMON_LOG}")
    process = programs.start("dockerd", log=DAEMON_LOG)
    deadline = time.monotonic() + READY_SECONDS
    while not _answers():
        if process.poll() is not None or time.monotonic() > deadline:
            words = DAEMON_LOG.read_text(errors="replace")[-1500:]
            raise TimeoutError(f"dockerd did not answer; {DAEMON_LOG} ends:\n{words}")
        time.sleep(0.2)


def _install_plugins() -> None:
    missing = tuple(package for package, plugin in PLUGINS.items() if not _answers(plugin, "version"))
    if missing:
        _print(f"fetching {', '.join(missing)} of Debian {PLUGIN_SUITE.name} into {PLUGIN_FOLDER}")
        PLUGIN_SUITE.update()
        PLUGIN_FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            PLUGIN_SUITE.unpack(missing, Path(folder))
            for program in Path(folder).glob("usr/libexec/docker/cli-plugins/*"):
                shutil.copy2(program, PLUGIN_FOLDER / program.name)
    for plugin in PLUGINS.values():
        _print(f"{plugin}: {_output_of(plugin, 'version')}")


def _answers(*words: str) -> bool:
    if shutil.which("docker") is None:
        return False
    shown = programs.run("docker", *(words or ("info",)), check=False, merged=True)
    # `docker info` of a client whose server is away still exits 0 in old versions.
    return shown.returncode == 0 and "Cannot connect" not in shown.stdout


def _output_of(*words: str) -> str:
    return programs.docker(*words).strip()


def _print(what: str) -> None:
    print(f"engine: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
