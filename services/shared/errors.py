"""Three errors for three reactions. Errors of a library are translated in the one file that uses it.

ArchiveError
├── BadInput          the input is invalid:     count it by reason, keep it as a reject, continue
├── Transient         the failure will pass:    back off, retry
└── BrokenInvariant   an invariant is broken:   stop with the remedy
"""

from __future__ import annotations


class ArchiveError(Exception):
    """Any error that this project raises."""


class BadInput(ArchiveError):  # noqa: N818 - named after the reaction, not the mechanism
    """Input that cannot be used; has a reason from a fixed list."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Transient(ArchiveError):  # noqa: N818 - as above
    """A failure that will pass: a lost connection, a full disk, a server that is loading."""


class BrokenInvariant(ArchiveError):  # noqa: N818 - as above
    """A state in which the archive cannot be trusted; the message names the remedy."""
