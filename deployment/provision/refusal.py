"""Why nothing goes on: one sentence that names the mend, for each way in which Hetzner's API can say no."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hcloud import APIException

STATUS: dict[int | str, str] = {401: "unauthorized", 403: "forbidden"}
"""Answers that come without a code of Hetzner's."""
MENDS = {
    "unauthorized": (
        "Hetzner does not know this token; make one with read and write in the project's console "
        "(Security, API tokens) and give it as HCLOUD_TOKEN"
    ),
    "token_readonly": "this token may only read; make one with read and write and give it as HCLOUD_TOKEN",
    "forbidden": "this token may not do that; make one with read and write and give it as HCLOUD_TOKEN",
    "rate_limit_exceeded": (
        "Hetzner has had too many questions from this project within the hour; wait some minutes and run it "
        "again, it goes on where it stopped"
    ),
    "resource_unavailable": (
        "Hetzner has none of that server type left in that location; choose another server_type or location "
        "in the settings, or run it again later: what was made so far is found again"
    ),
    "placement_error": (
        "Hetzner finds no room for that server type in that location; choose another server_type or location "
        "in the settings, or run it again later: what was made so far is found again"
    ),
    "uniqueness_error": (
        "a name, or this SSH key, is taken by an object that provision did not make; rename that one, or "
        "choose another `name` in the settings"
    ),
    "resource_limit_exceeded": (
        "the project's limit is reached; ask Hetzner for a higher one in the console (Limits)"
    ),
    "protected": "the object is protected against this; lift that in the console if you mean it",
}


class Refused(Exception):  # noqa: N818 - it is no error of ours; the message is for a person
    """Nothing further is done; the message is one sentence and names the mend."""


def refusal(error: APIException) -> Refused:
    """Return what to tell a person about the API's answer."""
    code = STATUS.get(error.code, str(error.code))
    mend = MENDS.get(code)
    if mend is None:
        return Refused(f"Hetzner refuses: {error.message} ({code}); mend that in the settings or the console")
    return Refused(f"{mend} ({error.message})")
