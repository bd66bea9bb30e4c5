"""Where images can be pulled, pull them, the base of the fake machines too: `make pulled`."""

from __future__ import annotations

import subprocess
import sys

from testing.environment.images.recipes import BASE, BASE_SUITE
from testing.environment.images.references import references

RECIPE = f"""\
FROM debian:{BASE_SUITE}-slim
LABEL standin=1
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends busybox ca-certificates
"""


def main() -> int:
    """Pull each; returns 1, with Docker's own words above, where one cannot be had."""
    for image in references():
        print(f"images: pulling {image}", flush=True)
        if subprocess.run(["docker", "pull", "--quiet", str(image)], check=False).returncode != 0:
            return 1
    build = ["docker", "build", "--quiet", f"--tag={BASE}", "-"]
    return subprocess.run(build, check=False, input=RECIPE.encode()).returncode


if __name__ == "__main__":
    sys.exit(main())
