"""Three errors for three reactions; a library's errors are translated in the one file that speaks it.

ArchiveError
├── BadInput          the world is wrong:  count it by reason, set it aside, go on
├── Transient         not now:             back off, retry
└── BrokenInvariant   we are wrong:        stop loudly
"""

from __future__ import annotations


class ArchiveError(Exception):
    """Anything this project raises on purpose."""


class BadInput(ArchiveError):  # noqa: N818 - named after the reaction, not the mechanism
    """Input that cannot be used; carries the reason from a closed list."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Transient(ArchiveError):  # noqa: N818 - as above
    """Something that will pass: a lost connection, a full disk, a server still loading."""


class BrokenInvariant(ArchiveError):  # noqa: N818 - as above
    """Something that cannot be true if the archive is to be trusted; the message names the mend."""
