"""Pull every image, and build the base of the fake machines: `make pulled`."""

from __future__ import annotations

import subprocess
import sys

from testing.environment.images.recipes import BASE, BASE_SUITE, references

RECIPE = f"""\
FROM debian:{BASE_SUITE}-slim
LABEL standin=1
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends busybox ca-certificates
"""


def main() -> int:
    """Pull the images; returns 1, after Docker's message, if one cannot be pulled."""
    for image in references():
        print(f"images: pulling {image}", flush=True)
        if subprocess.run(["docker", "pull", "--quiet", str(image)], check=False).returncode != 0:
            return 1
    build = ["docker", "build", "--quiet", f"--tag={BASE}", "-"]
    return subprocess.run(build, check=False, input=RECIPE.encode()).returncode


if __name__ == "__main__":
    sys.exit(main())
