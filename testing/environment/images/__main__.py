"""Build the stand-ins that this engine lacks: `make images`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from testing.environment.engine.debian import NotDebianError, Suite, mirror
from testing.environment.images.recipes import BASE, BASE_SUITE, NOT_TO_BE_HAD, RECIPES, Recipe
from testing.environment.images.references import Reference, references

FOLDER = Path(__file__).parent
CERTIFICATES = Path("/usr/local/share/ca-certificates")
"""The machine's own, if it has any: without them nothing inside a build can be fetched either."""


def main() -> int:
    """Build what is missing or of an older recipe; an official image that is here is left as it is."""
    wanted = [reference for reference in references() if not _is_current(reference)]
    try:
        for reference in wanted:
            if reference.name in NOT_TO_BE_HAD:
                _say(f"{reference}: left out; {NOT_TO_BE_HAD[reference.name]}")
                continue
            if not _is_here(BASE):
                _build_base()
            _build(reference, RECIPES[reference.name])
    except NotDebianError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"failed with exit code {error.returncode}: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    if not wanted:
        _say("every image is here already")
    return 0


def _build_base() -> None:
    """Bootstrap a Debian root and import it."""
    _say(f"{BASE}: bootstrapping Debian {BASE_SUITE}")
    if shutil.which("mmdebstrap") is None:
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "mmdebstrap"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "root.tar"
        bootstrap = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates,busybox"]
        subprocess.run([*bootstrap, BASE_SUITE, str(archive), mirror()], check=True)
        subprocess.run(
            ["docker", "import", "--change", "LABEL standin=1", str(archive), BASE],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def _build(reference: Reference, recipe: Recipe) -> None:
    suite = Suite(recipe.suite)
    if not suite.folder.exists():
        suite.update()
    version = suite.newest(recipe.package)
    _say(f"{reference}: building from Debian {recipe.suite}'s {recipe.package} {version}")
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(FOLDER / recipe.folder, context, dirs_exist_ok=True)
        (context / "certificates").mkdir()
        for certificate in CERTIFICATES.glob("*.crt"):
            shutil.copy2(certificate, context / "certificates")
        if recipe.suite != BASE_SUITE:
            suite.unpack((recipe.package, *recipe.also), context / "root")
        labels = [
            "--label=standin=1",
            f"--label=standin.version={version}",
            f"--label=standin.recipe={_fingerprint(recipe)}",
        ]
        subprocess.run(
            ["docker", "buildx", "build", "--quiet", "--load", *labels, f"--tag={reference}", str(context)],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def _is_current(reference: Reference) -> bool:
    words = ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", str(reference)]
    asked = subprocess.run(words, check=False, capture_output=True, text=True)
    if asked.returncode != 0:
        return False
    labels = json.loads(asked.stdout) or {}
    official = labels.get("standin") != "1"
    return official or labels.get("standin.recipe") == _fingerprint(RECIPES[reference.name])


def _fingerprint(recipe: Recipe) -> str:
    """Return a digest of what a stand-in is built from."""
    files = sorted((FOLDER / recipe.folder).iterdir())
    return sha256(repr(recipe).encode() + b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _is_here(image: str) -> bool:
    return (
        subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True).returncode
        == 0
    )


def _say(what: str) -> None:
    print(f"images: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
