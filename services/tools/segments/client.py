"""HTTP client of an archive of segments: requests with a token, and retries.

Failures that can pass (no answer, 429, 5xx, a body that ends early) are retried, after the time that the
server asks for. Others raise BadInput with the remedy, or Unavailable where only the requested item cannot
be read.
"""

from __future__ import annotations

import email.utils
import time
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from urllib.parse import urlencode

from services.shared.errors import BadInput, Transient
from services.shared.http import HttpError, download
from services.shared.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.shared.lifecycle import Stopping

ATTEMPTS = 6
"""About ten seconds with the back-off between them."""
LONGEST_WAIT_SECONDS = 900.0
"""Where the server asks for a longer wait, the command ends and names the time to run it again."""
SECONDS = 60.0
ACCOUNT = "https://bsky.network/account"
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class Unavailable(BadInput):
    """One item cannot be read from the archive of segments; others can."""


class RetryLater(Transient):
    """The request failed for now; `seconds` is the wait that the server asks for."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class Answer(NamedTuple):
    """A successful response."""

    body: bytes
    tag: str
    """The ETag without quotes; empty where there is none."""
    is_part: bool
    """Whether the body is the requested range and not the whole file."""


class SegmentClient:
    """Sends requests to one server; `report` is called with a message before every longer wait."""

    def __init__(self, address: str, token: str, stopping: Stopping, report: Callable[[str], None]) -> None:
        self.address = address.rstrip("/")
        self._token = token
        self._stopping = stopping
        self._report = report
        self.bytes = 0
        """Bytes downloaded so far; the public hosts meter them."""

    def get(self, path: str, parameters: Mapping[str, str | int], *, part: range | None = None) -> Answer:
        """Request `path`, or the bytes `part` of it.

        Raises Unavailable for 404 and 410, BadInput for failures that do not pass, and RetryLater when
        stopping.
        """
        failures = count(1)

        def failed(error: Transient) -> None:
            seconds = error.seconds if isinstance(error, RetryLater) else 0.0
            if seconds > LONGEST_WAIT_SECONDS:
                when = time.strftime("%H:%M", time.gmtime(time.time() + seconds))
                raise BadInput(f"{error}; run the same command again after {when} UTC") from error
            if next(failures) >= ATTEMPTS:
                raise BadInput(f"{error}; {ATTEMPTS} attempts: run the same command again later") from error
            if seconds:
                self._report(f"{error}; waiting {seconds:,.0f} s")
                self._stopping.sleep(seconds)

        answer = until_done(lambda: self._request(path, parameters, part), self._stopping, failed)
        if answer is None:
            raise RetryLater("stopped")
        return answer

    def _request(self, path: str, parameters: Mapping[str, str | int], part: range | None) -> Answer:
        url = f"{self.address}/{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        try:
            with download(
                url,
                authorization=f"Bearer {self._token}",
                byte_range=f"bytes={part.start}-{part.stop - 1}" if part is not None else "",
                private=True,
                seconds=SECONDS,
            ) as response:
                body = response.read()
                self.bytes += len(body)
                tag = response.headers.get("ETag", "").removeprefix("W/").strip('"')
                return Answer(body, tag, response.status == HTTPStatus.PARTIAL_CONTENT)
        except HttpError as error:
            self._translate(error)

    def _translate(self, error: HttpError) -> NoReturn:
        if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise BadInput(
                f"{self.address} refuses the token ({error.status}): make a new one at {ACCOUNT} and put it "
                "into the file that TOOLS_SEGMENTS_TOKEN_FILE names"
            ) from error
        if error.status in _GONE:
            raise Unavailable(str(error)) from error
        if error.status == HTTPStatus.TOO_MANY_REQUESTS or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RetryLater(str(error), _seconds(error.retry_after, time.time())) from error
        raise BadInput(f"{error}; is TOOLS_SEGMENTS_URL the address of a Jetstream v2 host?") from error


def _seconds(text: str | None, now: float) -> float:
    """Return the seconds that a Retry-After asks for, given as a number or a date. Pure."""
    if text is None:
        return 0.0
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return 0.0
