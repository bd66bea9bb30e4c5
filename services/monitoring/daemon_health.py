"""What a daemon says of itself; paused on purpose is healthy, and said."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from services.monitoring.question import Verdict

TIMEOUT_SECONDS = 0.7
# Never through a proxy that somebody configured for the containers: these are our neighbours.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask_daemon(url: str) -> Verdict:
    """Ask its /healthz."""
    try:
        with _direct.open(url, timeout=TIMEOUT_SECONDS) as reply:
            return Verdict(works=True, said=_parse(reply.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Verdict(works=False, said=_parse(error.read()))
    except OSError as error:
        return Verdict(works=False, said={"reasons": [f"no answer from {url}: {error}"]})


def _parse(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return {"reasons": [f"it said something else than JSON: {body[:100]!r}"]}
    said.pop("status", None)
    return said
