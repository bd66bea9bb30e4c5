#!/usr/bin/env python3
"""Make the stack's secrets, once: `make secrets`. What exists is never overwritten, but by `rotate NAME`.

One file for the host's own Python too: there it is /opt/archive/bin/make_secrets.
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
"""Who reads each password at its start, and in which order they are to be started again."""
PROJECT = "bluesky-archive"
STOP_SECONDS = 60
ADDRESSES = ("alert_webhook", "alert_slack", "alert_discord", "alert_smtp_password", "alert_watchdog")
"""Made empty, for a person to fill: how alerts reach somebody, and the dead man's switch."""
KEYS = ("object_store_keys", "segments_token")
"""As these: for `archive offload`, the bucket's access key and its secret, a line each; for `archive repair`,
the API token of Jetstream's archive of segments."""
EXPORTER_MAP = "redis_exporter.json"
"""redis_exporter takes no bare password from a file, only a map by address."""
EXPORTER_ADDRESSES = ("redis://redis:6379", "redis://exporter@redis:6379")
SETTING = "SECRETS_DIR"


def make_secrets(folder: Path) -> list[str]:
    """Write each missing secret; returns the names of those written.

    The files can be read by everybody, because each container reads its own as a user of its own; the
    folder by its owner only, which keeps other users of this machine out.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = [name for name in PASSWORDS if _write(folder / name, secrets.token_urlsafe(32))]
    written += [name for name in (*ADDRESSES, *KEYS) if _write(folder / name, "", mode=0o644)]
    password = (folder / "redis_exporter").read_text(encoding="utf-8").strip()
    if _write(folder / EXPORTER_MAP, json.dumps(dict.fromkeys(EXPORTER_ADDRESSES, password))):
        written.append(EXPORTER_MAP)
    return written


def name_folder(settings: Path, folder: str) -> bool:
    """Tell Compose where the secrets lie, in `.env`; returns whether that was to be written."""
    lines = settings.read_text(encoding="utf-8").splitlines() if settings.exists() else []
    if any(line.startswith(f"{SETTING}=") for line in lines):
        return False
    settings.write_text("\n".join([*lines, f"{SETTING}={folder}", ""]), encoding="utf-8")
    return True


def rotate(folder: Path, name: str) -> tuple[str, ...]:
    """Write a new password in the place of the old one; returns the services to be started again, in order.

    Raises ValueError for a name that is no password of ours, FileNotFoundError where there are none yet.
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
    """Start containers again, which read their secrets anew; returns the services that had none."""
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


def tell_grafana(folder: Path, project: str) -> None:
    """Set the administrator's password in Grafana's own database, which knows the file at its birth only."""
    password = (folder / "grafana_admin").read_text(encoding="utf-8")
    command = ["docker", "exec", "-i", f"{project}-grafana-1", "grafana", "cli", "admin"]
    subprocess.run(
        [*command, "reset-admin-password", "--password-from-stdin"], input=password, check=True, text=True
    )


def main(root: Path, words: list[str]) -> int:
    """Make them in a folder, by default `secrets` below `root`, or rotate one; say what was done."""
    parser = argparse.ArgumentParser(prog="make_secrets", description=__doc__)
    verbs = parser.add_subparsers(dest="verb")
    made = verbs.add_parser("make", help="make what is missing")
    made.add_argument("folder", type=Path)
    turned = verbs.add_parser("rotate", help="a new password, and its services started again")
    turned.add_argument("name", choices=sorted(USERS))
    turned.add_argument("--folder", type=Path, default=root / "secrets")
    turned.add_argument("--project", default=PROJECT)
    asked = parser.parse_args(words)
    if asked.verb == "rotate":
        return _rotate(asked.folder, asked.name, asked.project)
    folder = asked.folder if asked.verb == "make" else root / "secrets"
    for name in make_secrets(folder):
        _say(f"wrote {folder / name}")
    if asked.verb is None and name_folder(root / ".env", "./secrets"):
        _say(f"told Compose in {root / '.env'}")
    _say("all there")
    return 0


def _rotate(folder: Path, name: str, project: str) -> int:
    try:
        services = rotate(folder, name)
    except FileNotFoundError as error:
        print(f"secrets: {error}; make them first", file=sys.stderr)  # noqa: T201 - for the person who asked
        return 1
    _say(f"{name} is new; starting {', '.join(services)} again ...")
    absent = restart(services, project)
    if name == "grafana_admin" and not absent:
        tell_grafana(folder, project)
    _say(f"done; not running: {', '.join(absent)}" if absent else "done")
    return 0


def _say(what: str) -> None:
    print(f"secrets: {what}", flush=True)  # noqa: T201 - for the person who asked


def _replace(path: Path, text: str) -> None:
    """Put a file in the place of another, whole: a container may be reading it."""
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
