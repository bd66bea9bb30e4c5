"""The machine at Hetzner: `python -m deployment.provision plan|apply|destroy`.

plan shows what would change and writes nothing; it exits 2 when something would. apply makes it so; again, it
changes nothing. destroy takes the machine away; the archive's Volume and the addresses stay, unless named.
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
from deployment.provision.cloud_init import CloudConfig, render
from deployment.provision.desired import wanted
from deployment.provision.plan import plan, steps
from deployment.provision.programs import programs
from deployment.provision.project import Project
from deployment.provision.refusal import Refused, refusal
from deployment.provision.settings import Token, read

if TYPE_CHECKING:
    from deployment.provision.plan import Change

SETTINGS = Path("deployment/hetzner/archive.toml")
WOULD_CHANGE = 2
TIMEOUT_SECONDS = 30.0
MB_PER_GB = 1024


def main(words: list[str]) -> int:
    """Do what was asked; returns 1, having said why in one sentence, where that is refused."""
    parser = argparse.ArgumentParser(prog="python -m deployment.provision", description=__doc__)
    parser.add_argument("verb", choices=("plan", "apply", "destroy"))
    parser.add_argument("--settings", type=Path, default=SETTINGS)
    parser.add_argument("--yes", metavar="NAME", help="destroy: the server's name, to say that it is meant")
    parser.add_argument(
        "--also", metavar="NAME", action="append", default=[], help="destroy: a Volume or address to delete"
    )
    asked = parser.parse_args(words)
    try:
        settings = read(asked.settings)
        project = Project(_client(Token()), settings)
        if asked.verb == "destroy":
            return _destroy(project, asked.yes, frozenset(asked.also))
        return _converge(project, dry=asked.verb == "plan")
    except Refused as error:
        _say(f"refused: {error}")
    except APIException as error:
        _say(f"refused: {refusal(error)}")
    except ActionException as error:
        _say(f"refused: Hetzner began and failed: {error}; run it again, it goes on where it stopped")
    except requests.RequestException as error:
        _say(
            f"refused: the API does not answer ({type(error).__name__}); see to the network and run it again"
        )
    return 1


def _client(token: Token) -> Client:
    if not token.hcloud_token.get_secret_value():
        raise Refused("there is no token; make one in the project's console and give it as HCLOUD_TOKEN")
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

    # Too large a cloud-config or too small a machine is to be told before anything is made.
    user_data()
    found = project.find()
    label = user_data().label if project.volume_id() else None
    want = wanted(settings, label, project.addresses())
    changes = plan(want, found)
    missing = [step.thing for step in changes if not step.field]
    project.refuse_taken(missing)
    if any(thing.kind == "server" for thing in missing):
        project.refuse_sold_out(kind)
    _show(changes)
    if dry:
        return WOULD_CHANGE if steps(changes) else 0
    for step in steps(changes):
        _say(f"{'changing' if step.field else 'making'} {step.thing.kind} {step.thing.name} ...")
        if step.field:
            change(project, step)
        else:
            create(project, step.thing, user_data)
    _tell_addresses(project)
    return 0


def _destroy(project: Project, meant: str | None, also: frozenset[str]) -> int:
    name = project.settings.name
    if meant != name:
        raise Refused(f"destroy takes the server away; say that you mean it: --yes {name}")
    found = project.find()
    unknown = also - {thing.name for thing in found}
    if unknown:
        raise Refused(f"there is no {', '.join(sorted(unknown))} of ours; nothing was removed")
    for kept in destroy(project, found, also):
        _say(f"kept {kept}; name it with --also to delete it for good")
    _say(f"{name} is gone")
    return 0


def _show(changes: list[Change]) -> None:
    for step in changes:
        _say(str(step))
    made = steps(changes)
    _say(f"{len(made)} to make, {len(changes) - len(made)} to leave" if changes else "nothing to change")


def _tell_addresses(project: Project) -> None:
    found = project.addresses()
    _say(f"{project.settings.site}: A {found.get('ipv4')}, AAAA {found.get('ipv6')}")


def _say(what: str) -> None:
    print(what, flush=True)  # noqa: T201 - for the person who asked


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
