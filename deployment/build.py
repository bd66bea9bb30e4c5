"""Build a commit's images for this machine's processor, and push them: `python -m deployment.build`.

For each processor on a machine of its own: emulated, the packages alone would take longer than a deploy may.
`python -m deployment.publish` makes a release of them.
"""

from __future__ import annotations

import sys

from deployment import commands
from deployment.running import BuildError, arguments, place_of, show
from deployment.services import images_of


def main(words: list[str]) -> int:
    """Build and push; returns 1, with the reason, when anything fails."""
    asked = arguments("deployment.build", __doc__, words)
    try:
        place = place_of(asked)
        ours = [image.service for image in images_of(place) if image.is_ours]
        show(commands.bake(ours, attested=asked.attest), place.environment(place.part(place.machine)))
    except (BuildError, ValueError) as error:
        print(f"build: {error}", file=sys.stderr)  # noqa: T201 - for who asked
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
