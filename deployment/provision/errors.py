"""Refusals: one sentence with the remedy for each error of Hetzner's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hcloud import APIException

STATUS: dict[int | str, str] = {401: "unauthorized", 403: "forbidden"}
"""Errors without a code of Hetzner's, by HTTP status."""
REMEDIES = {
    "unauthorized": (
        "Hetzner does not know this token; make one with read and write in the project's console "
        "(Security, API tokens) and give it as HCLOUD_TOKEN"
    ),
    "token_readonly": "this token may only read; make one with read and write and give it as HCLOUD_TOKEN",
    "forbidden": "this token may not do that; make one with read and write and give it as HCLOUD_TOKEN",
    "rate_limit_exceeded": (
        "Hetzner has had too many requests from this project within the hour; wait some minutes and run "
        "it again, it continues where it stopped"
    ),
    "resource_unavailable": (
        "Hetzner has none of that server type left in that location; choose another server_type or location "
        "in the settings, or run it again later: objects created so far are found again"
    ),
    "placement_error": (
        "Hetzner has no room for that server type in that location; choose another server_type or location "
        "in the settings, or run it again later: objects created so far are found again"
    ),
    "uniqueness_error": (
        "a name, or this SSH key, is taken by an object that provision did not create; rename that one, or "
        "choose another `name` in the settings"
    ),
    "resource_limit_exceeded": (
        "the project's limit is reached; ask Hetzner for a higher one in the console (Limits)"
    ),
    "protected": "the object is protected against this; lift that in the console if you mean it",
}


class Refused(Exception):  # noqa: N818 - a state, as services/shared/errors.py names them
    """Provisioning stops; the message is one sentence with the remedy."""


def refusal(error: APIException) -> Refused:
    """Return the refusal for an error of the API."""
    code = STATUS.get(error.code, str(error.code))
    remedy = REMEDIES.get(code)
    if remedy is None:
        return Refused(
            f"Hetzner refuses: {error.message} ({code}); correct that in the settings or the console"
        )
    return Refused(f"{remedy} ({error.message})")
