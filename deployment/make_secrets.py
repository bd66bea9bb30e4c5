#!/usr/bin/env python3
"""Make the secrets of the stack: `make secrets`. Existing ones are kept; `rotate NAME` replaces one.

A single file for the host's Python too, as /opt/archive/bin/make_secrets.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
from pathlib import Path

PASSWORDS = (
    "redis_ingester",
    "redis_writer",
    "redis_tools",
    "redis_exporter",
    "redis_health",
    "grafana_admin",
    "archive_reader",
)
USERS = {
    "redis_ingester": ("redis", "jetstream"),
    "redis_writer": ("redis", "data_writer"),
    "redis_tools": ("redis",),
    "redis_exporter": ("redis", "redis_exporter"),
    "redis_health": ("redis", "health"),
    "grafana_admin": ("grafana",),
    "archive_reader": ("caddy",),
}
"""Services that read each password at their start, in the order of their restart."""
PROJECT = "bluesky-archive"
STOP_SECONDS = 60
ADDRESSES = ("alert_webhook", "alert_slack", "alert_discord", "alert_smtp_password", "alert_watchdog")
"""Created empty, for a person to fill: receivers of alerts, and the dead man's switch."""
KEYS = ("object_store_keys", "segments_token")
"""Created empty: for `archive offload` the bucket's access key and its secret, a line each; for
`archive repair` the API token of Jetstream's archive of segments."""
EXPORTER_MAP = "redis_exporter.json"
"""redis_exporter reads no plain password from a file, only a map by address."""
EXPORTER_ADDRESSES = ("redis://redis:6379", "redis://exporter@redis:6379")
SETTING = "SECRETS_DIR"


def make_secrets(folder: Path) -> list[str]:
    """Write each missing secret; returns the names of those written.

    Every user can read the files, for each container has a user of its own; only the owner can enter the
    folder, which excludes other users of this machine.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = [name for name in PASSWORDS if _write(folder / name, secrets.token_urlsafe(32))]
    written += [name for name in (*ADDRESSES, *KEYS) if _write(folder / name, "", mode=0o644)]
    password = (folder / "redis_exporter").read_text(encoding="utf-8").strip()
    if _write(folder / EXPORTER_MAP, json.dumps(dict.fromkeys(EXPORTER_ADDRESSES, password))):
        written.append(EXPORTER_MAP)
    return written


def set_folder(settings: Path, folder: str) -> bool:
    """Write the folder of the secrets into `.env` unless it has one; returns whether it was written."""
    lines = settings.read_text(encoding="utf-8").splitlines() if settings.exists() else []
    if any(line.startswith(f"{SETTING}=") for line in lines):
        return False
    settings.write_text("\n".join([*lines, f"{SETTING}={folder}", ""]), encoding="utf-8")
    return True


def rotate(folder: Path, name: str) -> tuple[str, ...]:
    """Replace a password; returns the services to restart, in order.

    Raises ValueError for an unknown password, FileNotFoundError for one that was not made yet.
    """
    if name not in USERS:
        raise ValueError(f"{name} is no password; one of {', '.join(sorted(USERS))}")
    (folder / name).stat()
    _replace(folder / name, secrets.token_urlsafe(32))
    if name == "redis_exporter":
        password = (folder / name).read_text(encoding="utf-8").strip()
        _replace(folder / EXPORTER_MAP, json.dumps(dict.fromkeys(EXPORTER_ADDRESSES, password)))
    return USERS[name]


def restart(services: tuple[str, ...], project: str) -> list[str]:
    """Restart the containers of services, which then read their secrets; returns services without one."""
    absent = []
    for service in services:
        chosen = [
            f"label=com.docker.compose.project={project}",
            f"label=com.docker.compose.service={service}",
        ]
        filters = [word for one in chosen for word in ("--filter", one)]
        listed = subprocess.run(["docker", "ps", "-q", *filters], check=True, capture_output=True, text=True)
        containers = listed.stdout.split()
        if not containers:
            absent.append(service)
            continue
        subprocess.run(
            ["docker", "restart", "--time", str(STOP_SECONDS), *containers], check=True, capture_output=True
        )
    return absent


def reset_grafana(folder: Path, project: str) -> None:
    """Set the administrator's password in Grafana's database: it reads the file at its first start only."""
    password = (folder / "grafana_admin").read_text(encoding="utf-8")
    command = ["docker", "exec", "-i", f"{project}-grafana-1", "grafana", "cli", "admin"]
    subprocess.run(
        [*command, "reset-admin-password", "--password-from-stdin"], input=password, check=True, text=True
    )


def main(root: Path, words: list[str]) -> int:
    """Make secrets in a folder, by default `secrets` below `root`, or rotate one; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make_secrets", description=__doc__)
    verbs = parser.add_subparsers(dest="verb")
    make = verbs.add_parser("make", help="make missing secrets")
    make.add_argument("folder", type=Path)
    rotation = verbs.add_parser("rotate", help="replace a password and restart its services")
    rotation.add_argument("name", choices=sorted(USERS))
    rotation.add_argument("--folder", type=Path, default=root / "secrets")
    rotation.add_argument("--project", default=PROJECT)
    options = parser.parse_args(words)
    if options.verb == "rotate":
        return _rotate(options.folder, options.name, options.project)
    folder = options.folder if options.verb == "make" else root / "secrets"
    for name in make_secrets(folder):
        _print(f"wrote {folder / name}")
    if options.verb is None and set_folder(root / ".env", "./secrets"):
        _print(f"set SECRETS_DIR in {root / '.env'}")
    _print("complete")
    return 0


def _rotate(folder: Path, name: str, project: str) -> int:
    try:
        services = rotate(folder, name)
    except FileNotFoundError as error:
        print(f"secrets: {error}; make them first", file=sys.stderr)  # noqa: T201 - the reason
        return 1
    _print(f"{name} is new; restarting {', '.join(services)} ...")
    absent = restart(services, project)
    if name == "grafana_admin" and not absent:
        reset_grafana(folder, project)
    _print(f"done; not running: {', '.join(absent)}" if absent else "done")
    return 0


def _print(text: str) -> None:
    print(f"secrets: {text}", flush=True)  # noqa: T201 - the output of a command


def _replace(path: Path, text: str) -> None:
    """Replace a file atomically: a container may be reading it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    _write(fresh, text)
    fresh.rename(path)


def _write(path: Path, text: str, mode: int = 0o444) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError:
        return False
    path.chmod(mode)
    return True


if __name__ == "__main__":
    sys.exit(main(Path(), sys.argv[1:]))
