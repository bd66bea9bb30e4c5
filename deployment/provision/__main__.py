"""The machine at Hetzner: `python -m deployment.provision plan|apply|destroy`.

plan shows the changes, applies none, and exits 2 when there are any. apply makes them; a second run changes
nothing. destroy deletes the machine; the archive's Volume and the addresses are retained unless named.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from hcloud import APIException, Client
from hcloud.actions import ActionException

from deployment.provision.apply import change, create, destroy
from deployment.provision.cloud_init import CloudConfig, programs, render
from deployment.provision.errors import Refused, refusal
from deployment.provision.plan import desired, plan, steps
from deployment.provision.project import Project
from deployment.provision.settings import Token, read

if TYPE_CHECKING:
    from deployment.provision.plan import Change

SETTINGS = Path("deployment/hetzner/archive.toml")
CHANGES_PENDING = 2
TIMEOUT_SECONDS = 30.0
MB_PER_GB = 1024


def main(words: list[str]) -> int:
    """Run the command; returns 1, with the reason in one sentence, where it is refused."""
    parser = argparse.ArgumentParser(prog="python -m deployment.provision", description=__doc__)
    parser.add_argument("verb", choices=("plan", "apply", "destroy"))
    parser.add_argument("--settings", type=Path, default=SETTINGS)
    parser.add_argument("--yes", metavar="NAME", help="destroy: the server's name, to confirm")
    parser.add_argument(
        "--also", metavar="NAME", action="append", default=[], help="destroy: a Volume or address to delete"
    )
    arguments = parser.parse_args(words)
    try:
        settings = read(arguments.settings)
        project = Project(_client(Token()), settings)
        if arguments.verb == "destroy":
            return _destroy(project, arguments.yes, frozenset(arguments.also))
        return _converge(project, dry=arguments.verb == "plan")
    except Refused as error:
        _print(f"refused: {error}")
    except APIException as error:
        _print(f"refused: {refusal(error)}")
    except ActionException as error:
        _print(f"refused: an action at Hetzner failed: {error}; run it again, it continues where it stopped")
    except requests.RequestException as error:
        _print(
            f"refused: the API does not answer ({type(error).__name__}); check the network and run it again"
        )
    return 1


def _client(token: Token) -> Client:
    if not token.hcloud_token.get_secret_value():
        raise Refused("there is no token; create one in the project's console and set HCLOUD_TOKEN")
    return Client(
        token.hcloud_token.get_secret_value(),
        api_endpoint=token.hcloud_endpoint,
        application_name="bluesky-archive",
        timeout=TIMEOUT_SECONDS,
    )


def _converge(project: Project, *, dry: bool) -> int:
    settings = project.settings
    kind = project.server_type()
    memory_mb = int((kind.memory or 0) * MB_PER_GB)

    def user_data() -> CloudConfig:
        return render(settings, project.volume_id() or 0, memory_mb, programs())

    # Refuses a cloud-config that is too large or a machine that is too small, before anything is created.
    user_data()
    found = project.find()
    label = user_data().label if project.volume_id() else None
    wanted = desired(settings, label, project.addresses())
    changes = plan(wanted, found)
    missing = [step.resource for step in changes if not step.field]
    project.refuse_taken(missing)
    if any(resource.kind == "server" for resource in missing):
        project.refuse_sold_out(kind)
    _show(changes)
    if dry:
        return CHANGES_PENDING if steps(changes) else 0
    for step in steps(changes):
        _print(f"{'changing' if step.field else 'creating'} {step.resource.kind} {step.resource.name} ...")
        if step.field:
            change(project, step)
        else:
            create(project, step.resource, user_data)
    _print_addresses(project)
    return 0


def _destroy(project: Project, confirmed: str | None, also: frozenset[str]) -> int:
    name = project.settings.name
    if confirmed != name:
        raise Refused(f"destroy deletes the server; to confirm, add --yes {name}")
    found = project.find()
    unknown = also - {resource.name for resource in found}
    if unknown:
        raise Refused(f"there is no {', '.join(sorted(unknown))} of ours; nothing was deleted")
    for retained in destroy(project, found, also):
        _print(f"retained {retained}; name it with --also to delete it for good")
    _print(f"{name} is deleted")
    return 0


def _show(changes: list[Change]) -> None:
    for step in changes:
        _print(str(step))
    applied = steps(changes)
    _print(
        f"{len(applied)} to apply, {len(changes) - len(applied)} to leave" if changes else "nothing to change"
    )


def _print_addresses(project: Project) -> None:
    found = project.addresses()
    _print(f"{project.settings.site}: A {found.get('ipv4')}, AAAA {found.get('ipv6')}")


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the output of a command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
