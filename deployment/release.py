"""Build a commit's images, or publish its release: `python -m deployment.release build|publish`.

`build` builds and pushes the images for this machine's processor. Each processor has a machine of its own:
under emulation the packages alone would take longer than a deploy may. `publish` joins the images of all
processors and pushes the release image, which names every image, those of other publishers too, by the digest
that its registry has now; the host accepts no other name.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from deployment import commands
from deployment.commands import BASE, BUILD, PRODUCTION, ROOT, CommandError, run, run_visibly
from deployment.pack_deploy_agent import deploy_agent

if TYPE_CHECKING:
    from collections.abc import Mapping

BUNDLED = ("docker-compose.yml", "docker-compose.prod.yml", "monitoring")
"""Files of the repository in a release: the Compose files, and everything that they mount from it."""
DOCKERFILE = """\
# No program: the host unpacks it (deployment/deploy_agent/store.py).
FROM scratch
LABEL org.opencontainers.image.revision={sha}
COPY release /release
"""
PLATFORMS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
UNUSED = {"SECRETS_DIR": "/nowhere", "SITE_ADDRESS": "nowhere.invalid"}
"""Variables that Compose requires and a build does not use."""
_VARIABLE = re.compile(r"\$\{(IMAGE_\w+):\?")


class Target(NamedTuple):
    """The commit to build and the registry to push it to."""

    prefix: str
    """Of image names, as the host writes it."""
    local_prefix: str
    """The same as this machine writes it; different only for a registry that has two names."""
    sha: str
    committed_at: int
    """Unix seconds."""
    machine: str

    def part(self, machine: str) -> str:
        """Return the tag of the images for one processor."""
        return f"{self.sha}-{machine}"

    def environment(self, tag: str) -> dict[str, str]:
        """Return Compose's variables for this machine."""
        return {"IMAGE_PREFIX": self.local_prefix, "IMAGE_TAG": tag, **UNUSED}

    def local_name(self, image: str) -> str:
        """Return an image's name on this machine."""
        remote, local = self.prefix.partition("/")[0], self.local_prefix.partition("/")[0]
        return local + image.removeprefix(remote) if image.startswith(f"{remote}/") else image


class ServiceImage(NamedTuple):
    """An image that the production Compose file names by a variable."""

    variable: str
    service: str
    source: str
    """Its name by tag."""
    is_ours: bool


def main(words: list[str]) -> int:
    """Build or publish; returns 1, with the reason on standard error, when that fails."""
    arguments = parse(words)
    try:
        target = target_of(arguments)
        if arguments.verb == "build":
            build(target, attested=arguments.attest)
        else:
            print(f"publish: {publish(target, arguments.machines.split(','))}")  # noqa: T201 - the result
    except (CommandError, ValueError) as error:
        print(f"{arguments.verb}: {error}", file=sys.stderr)  # noqa: T201 - the reason
        return 1
    return 0


def parse(words: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m deployment.release", description=__doc__)
    parser.add_argument("verb", choices=("build", "publish"))
    parser.add_argument("--prefix", required=True, help="registry and path, say ghcr.io/you/bluesky-archive")
    parser.add_argument("--sha", required=True, help="the commit, which is checked out here")
    parser.add_argument("--machines", default=platform.machine(), help="publish: say x86_64,aarch64")
    parser.add_argument("--attest", action="store_true", help="build: push an SBOM and provenance too")
    parser.add_argument("--here", help="this machine's name of the registry, if the host uses another")
    return parser.parse_args(words)


def target_of(arguments: argparse.Namespace) -> Target:
    """Return the target that a command line names; raises CommandError for a commit that is not here."""
    # Image names have no capitals, and account names have.
    prefix = arguments.prefix.lower()
    registry, slash, path = prefix.partition("/")
    sha, committed_at = run(commands.commit_time(arguments.sha)).split()
    local_prefix = f"{arguments.here or registry}{slash}{path}"
    return Target(prefix, local_prefix, sha, int(committed_at), platform.machine())


def build(target: Target, *, attested: bool) -> None:
    """Build and push our images for this machine's processor."""
    ours = [image.service for image in images_of(target) if image.is_ours]
    run_visibly(commands.bake(ours, attested=attested), target.environment(target.part(target.machine)))


def publish(target: Target, machines: list[str]) -> str:
    """Join the images of all processors and push the release; returns the release image's name."""
    digests = {}
    for image in images_of(target):
        if image.is_ours:
            name = target.local_name(image.source)
            parts = [f"{name.removesuffix(target.sha)}{target.part(machine)}" for machine in machines]
            run_visibly(commands.join(name, parts))
        manifest = json.loads(run(commands.digest_of(target.local_name(image.source))))
        digests[image.variable] = by_digest(image.source, manifest["digest"])
    tag = f"{target.prefix}/release:{target.sha}"
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), target, digests)
        platforms = [PLATFORMS[machine] for machine in machines]
        run_visibly(commands.push_release(target.local_name(tag), Path(folder), platforms))
    return tag


def images_of(target: Target) -> list[ServiceImage]:
    """Return every image of production; raises ValueError for one that is not named by digest there."""
    env = target.environment(target.sha) | {"IMAGE_PREFIX": target.prefix}
    return service_images(
        _services([BASE, PRODUCTION], env, interpolated=False),
        _services([BASE, BUILD], env, interpolated=True),
    )


def service_images(production: Mapping[str, Any], built: Mapping[str, Any]) -> list[ServiceImage]:
    """Return the images of production's services. Pure.

    `production`: services as Compose prints them without variables filled in; `built`: those of the other two
    files, filled in. Raises ValueError for a service whose image is not named by a variable; services that
    only a profile starts are exempt.
    """
    images: dict[str, ServiceImage] = {}
    for service, definition in sorted(production.items()):
        found = _VARIABLE.match(definition["image"])
        if found is None and "profiles" in definition:
            continue
        if found is None or service not in built:
            raise ValueError(
                f"docker-compose.prod.yml: the image of {service} is {definition['image']}; name it by "
                f"digest, as ${{IMAGE_{service.upper()}:?}}"
            )
        image = ServiceImage(found[1], service, built[service]["image"], "build" in built[service])
        # Several services may run one image; one of them builds it.
        if image.is_ours or image.variable not in images:
            images[image.variable] = image
    return sorted(images.values())


def images_env(digests: Mapping[str, str]) -> str:
    """Return images.env, which names each image by digest; keys are variables."""
    return "".join(f"{variable}={digest}\n" for variable, digest in sorted(digests.items()))


def about(sha: str, number: int, committed_at: int) -> str:
    """Return release.json; the host refuses a release that is older than the live one."""
    return json.dumps({"sha": sha, "number": number, "committed_at": committed_at}) + "\n"


def by_digest(tagged: str, digest: str) -> str:
    """Return an image's name with a digest instead of a tag; the port of a registry is not a tag."""
    head, slash, last = tagged.rpartition("/")
    return f"{head}{slash}{last.partition('@')[0].partition(':')[0]}@{digest}"


def _services(files: list[str], env: dict[str, str], *, interpolated: bool) -> dict[str, Any]:
    shown = json.loads(run(commands.rendered(files, interpolated=interpolated), env))
    services: dict[str, Any] = shown["services"]
    return services


def _fill(folder: Path, target: Target, digests: dict[str, str]) -> None:
    """Write the contents of the release image and its Dockerfile."""
    release = folder / "release"
    release.mkdir()
    for name in BUNDLED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, release / name, ignore=shutil.ignore_patterns("rules_test"))
        else:
            shutil.copy2(source, release / name)
    # Containers read them as users of their own.
    for path in (release, *release.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    number = int(run(commands.commit_number(target.sha)))
    (release / "images.env").write_text(images_env(digests), "utf-8")
    (release / "release.json").write_text(about(target.sha, number, target.committed_at), "utf-8")
    (release / "deploy-agent").write_bytes(deploy_agent())
    (folder / "Dockerfile").write_text(DOCKERFILE.format(sha=target.sha), "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
