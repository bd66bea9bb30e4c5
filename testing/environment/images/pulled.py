"""Pull every image, and build the base of the fake machines: `make pulled`."""

from __future__ import annotations

import sys

from testing.environment.images.recipes import BASE, BASE_SUITE, references
from testing.harness.programs import CommandError, docker, run

RECIPE = f"""\
FROM debian:{BASE_SUITE}-slim
LABEL standin=1
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends busybox ca-certificates
"""


def main() -> int:
    """Pull the images; returns 1, after Docker's message, if one cannot be pulled."""
    for image in references():
        print(f"images: pulling {image}", flush=True)
        try:
            docker("pull", "--quiet", str(image))
        except CommandError as error:
            print(error, file=sys.stderr)
            return 1
    run("docker", "build", "--quiet", f"--tag={BASE}", "-", stdin=RECIPE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
