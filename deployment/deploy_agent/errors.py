"""The two ways in which an order is not carried out, and the exit codes of all ways."""

from __future__ import annotations

DONE, FAILED, STUCK = 0, 1, 2
"""Live, or nothing to do; failed and rolled back; failed, and the way back failed too."""
NOT_AN_ORDER, REFUSED, DIED, BUSY = 64, 65, 70, 75
"""As sysexits.h has them: usage, data, software, try again."""


class Refused(Exception):  # noqa: N818 - what happened, as services/shared/errors.py names them
    """Stopped before anything changed; the message is one sentence that names the mend."""

    code = REFUSED


class Busy(Refused):
    """Another order is being carried out."""

    code = BUSY


class Failed(Exception):  # noqa: N818 - as above
    """The release was switched to, and does not work."""
