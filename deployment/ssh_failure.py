"""Pure: what ssh's own error means for whoever deploys, with the mend."""

from __future__ import annotations

MEANS = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        (
            "the host's key is not the one in DEPLOY_KNOWN_HOSTS: if the host was replaced, put the line "
            "that provision printed there; if not, somebody may stand in between, and nothing was sent"
        ),
    ),
    (
        "Host key verification failed",
        "DEPLOY_KNOWN_HOSTS has no key of this host: put the line that provision printed there",
    ),
    # Before the refusal: ssh goes on without a key that it cannot read, and is then refused.
    ("invalid format", "DEPLOY_KEY is no private key: copy the whole file, its last line break too"),
    ("error in libcrypto", "DEPLOY_KEY is no private key: copy the whole file, its last line break too"),
    (
        "Permission denied",
        "the host does not accept DEPLOY_KEY: put the key that provision made there, or renew both",
    ),
    ("Could not resolve hostname", "DEPLOY_HOST has no address: mend its DNS record, or the name"),
    ("Connection refused", "nothing listens on DEPLOY_HOST: is the machine up, and is this its address?"),
    ("timed out", "DEPLOY_HOST does not answer: is the machine up, and does its firewall let us in?"),
    ("No route to host", "DEPLOY_HOST cannot be reached: is the machine up?"),
)


def meaning(said: str) -> str | None:
    """Return one sentence for what ssh said before it was connected, or None for an error unknown to us."""
    return next((sentence for sign, sentence in MEANS if sign in said), None)
