"""Build the stand-ins of images that this engine lacks: `make images`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from testing.environment.engine.debian import NotDebianError, Suite, mirror
from testing.environment.images.derived import label_of
from testing.environment.images.recipes import (
    BASE,
    BASE_SUITE,
    RECIPES,
    UNAVAILABLE,
    Recipe,
    Reference,
    references,
)
from testing.harness.programs import CommandError, docker, run

FOLDER = Path(__file__).parent
CERTIFICATES = Path("/usr/local/share/ca-certificates")
"""The machine's own certificates, if any, which builds need to download packages."""


def main() -> int:
    """Build stand-ins that are missing or outdated; official images on the engine are left alone."""
    missing = [reference for reference in references() if not _is_current(reference)]
    try:
        for reference in missing:
            if reference.name in UNAVAILABLE:
                _print(f"{reference}: skipped: {UNAVAILABLE[reference.name]}")
                continue
            if not _is_here(BASE):
                _build_base()
            _build(reference, RECIPES[reference.name])
    except (NotDebianError, CommandError) as error:
        print(error, file=sys.stderr)
        return 1
    if not missing:
        _print("every image is on this engine already")
    return 0


def _build_base() -> None:
    """Bootstrap a Debian root and import it."""
    _print(f"{BASE}: bootstrapping Debian {BASE_SUITE}")
    if shutil.which("mmdebstrap") is None:
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "mmdebstrap")
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "root.tar"
        bootstrap = ("--quiet", "--variant=minbase", "--include=ca-certificates,busybox")
        run("mmdebstrap", *bootstrap, BASE_SUITE, str(archive), mirror())
        docker("import", "--change", "LABEL standin=1", str(archive), BASE)


def _build(reference: Reference, recipe: Recipe) -> None:
    suite = Suite(recipe.suite)
    if not suite.folder.exists():
        suite.update()
    version = suite.newest(recipe.package)
    _print(f"{reference}: building from Debian {recipe.suite}'s {recipe.package} {version}")
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
        docker("buildx", "build", "--quiet", "--load", *labels, f"--tag={reference}", str(context))


def _is_current(reference: Reference) -> bool:
    if not _is_here(str(reference)):
        return False
    official = label_of(str(reference), "standin") != "1"
    return official or label_of(str(reference), "standin.recipe") == _fingerprint(RECIPES[reference.name])


def _fingerprint(recipe: Recipe) -> str:
    """Return a digest of a stand-in's recipe and files."""
    files = sorted((FOLDER / recipe.folder).iterdir())
    return sha256(repr(recipe).encode() + b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def _is_here(image: str) -> bool:
    return run("docker", "image", "inspect", image, check=False).returncode == 0


def _print(what: str) -> None:
    print(f"images: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
