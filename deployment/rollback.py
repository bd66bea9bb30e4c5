"""Roll back to a release that is still on the host: `python -m deployment.rollback SHA`."""

from __future__ import annotations

import sys

from deployment.deploy import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], verb="rollback"))
