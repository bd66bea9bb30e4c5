"""Asks over HTTP, with a token, patiently; the file that speaks HTTP to an archive of segments.

What passes (no answer, 429, 5xx, a body that ends early) is asked for again, as late as the server wishes;
what does not is BadInput with the mend, or NotHad where only this one thing is not to be had.
"""

from __future__ import annotations

import email.utils
import http.client
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import urlencode

from services.shared.errors import BadInput, Transient
from services.shared.retry import until_done
from services.tools.settings import is_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.shared.lifecycle import Stopping

ATTEMPTS = 6
"""With the back-off between them about ten seconds, after which a person should look."""
LONGEST_WAIT_SECONDS = 900.0
"""A server that wants more is left alone until the command is typed again."""
SECONDS = 60.0
ACCOUNT = "https://bsky.network/account"
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class NotHad(BadInput):
    """This one thing cannot be had; others may."""


class Later(Transient):
    """Not now; with the seconds that the server wants to be left alone."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        super().__init__(message)
        self.seconds = seconds


class Answer(NamedTuple):
    """What came."""

    body: bytes
    tag: str
    """The ETag, without its quotes; empty where there is none."""
    is_part: bool
    """The range that was asked for, and not all."""


class Asking:
    """Asks one server; `said` is told of every wait."""

    def __init__(self, address: str, token: str, stopping: Stopping, said: Callable[[str], None]) -> None:
        self.address = address.rstrip("/")
        self._token = token
        self._stopping = stopping
        self._said = said
        self._opener = urllib.request.build_opener(_Elsewhere())
        self.bytes = 0
        """Downloaded so far: the public hosts meter them."""

    def get(self, path: str, words: Mapping[str, str | int], *, part: range | None = None) -> Answer:
        """Ask for `path`; with `part`, for these bytes of it.

        Raises NotHad (404, 410), BadInput, and Later only when stopping.
        """
        failures = count(1)

        def failed(error: Transient) -> None:
            seconds = error.seconds if isinstance(error, Later) else 0.0
            if seconds > LONGEST_WAIT_SECONDS:
                when = time.strftime("%H:%M", time.gmtime(time.time() + seconds))
                raise BadInput(f"{error}; run the same command again after {when} UTC") from error
            if next(failures) >= ATTEMPTS:
                raise BadInput(f"{error}; {ATTEMPTS} attempts: run the same command again later") from error
            if seconds:
                self._said(f"{error}; waiting {seconds:,.0f} s")
                self._stopping.sleep(seconds)

        answer = until_done(lambda: self._ask(path, words, part), self._stopping, failed)
        if answer is None:
            raise Later("stopped")
        return answer

    def _ask(self, path: str, words: Mapping[str, str | int], part: range | None) -> Answer:
        url = f"{self.address}/{path}" + (f"?{urlencode(words)}" if words else "")
        request = urllib.request.Request(url, headers={"User-Agent": "bluesky-archive"})  # noqa: S310 - the settings take https, and http to this machine only
        # Not sent to another server that this one points to.
        request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        if part is not None:
            request.add_header("Range", f"bytes={part.start}-{part.stop - 1}")
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                body = answer.read()
                self.bytes += len(body)
                tag = answer.headers.get("ETag", "").removeprefix("W/").strip('"')
                return Answer(body, tag, answer.status == HTTPStatus.PARTIAL_CONTENT)
        except urllib.error.HTTPError as error:
            with error:
                self._translate(error, url)
        except (OSError, http.client.HTTPException) as error:
            raise Later(f"{url}: {error or type(error).__name__}") from error

    def _translate(self, error: urllib.error.HTTPError, url: str) -> NoReturn:
        told = f"{url}: {error.code} {error.reason}"
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise BadInput(
                f"{self.address} refuses the token ({error.code}): make a new one at {ACCOUNT} and put it "
                "into the file that TOOLS_SEGMENTS_TOKEN_FILE names"
            ) from error
        if error.code in _GONE:
            raise NotHad(told) from error
        if error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Later(told, _seconds(error.headers.get("Retry-After"), time.time())) from error
        raise BadInput(f"{told}; is TOOLS_SEGMENTS_URL the address of a Jetstream v2 host?") from error


def _seconds(text: str | None, now: float) -> float:
    """Return what a Retry-After asks for: seconds, or a date. Pure."""
    if text is None:
        return 0.0
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return 0.0


class _Elsewhere(urllib.request.HTTPRedirectHandler):
    """Follows to a server of signed downloads, if nobody can listen on the way."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - the library's signature
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request that follows."""
        if not is_private(newurl):
            raise BadInput(f"{req.full_url} leads to {newurl}, which everybody on the way could read")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
