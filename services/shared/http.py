"""HTTP requests of all services: to our own containers past every proxy, and to hosts outside."""

from __future__ import annotations

import http.client
import ipaddress
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from services.shared.errors import BadInput, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator

USER_AGENT = "bluesky-archive"
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Reply(NamedTuple):
    """Status and body of a reply."""

    status: int
    body: bytes


class HttpError(Exception):
    """A status of 400 or more."""

    def __init__(self, error: urllib.error.HTTPError) -> None:
        super().__init__(f"{error.url}: {error.code} {error.reason}")
        self.status = error.code
        self.retry_after: str | None = error.headers.get("Retry-After")
        """As the server sent it: seconds, or a date."""


def get_direct(url: str, *, seconds: float) -> Reply:
    """Request a URL of this machine or of one of our containers; a configured proxy is not used.

    Returns the reply whatever its status is. Raises OSError when none comes within `seconds`.
    """
    try:
        with _direct.open(url, timeout=seconds) as answer:
            return Reply(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.read())
    except http.client.HTTPException as error:
        raise OSError(f"{url}: no HTTP ({error or type(error).__name__})") from error


@contextmanager
def download(
    url: str, *, authorization: str = "", byte_range: str = "", private: bool = False, seconds: float
) -> Iterator[http.client.HTTPResponse]:
    """Request a URL of a host outside, by the configured proxy, and yield the response for reading.

    `authorization` is not sent to another server that the first one redirects to; `byte_range` is a value of
    the header Range, e.g. `bytes=100-`; `private` refuses redirects to addresses that can be intercepted.
    Raises HttpError for a status of 400 or more, BadInput for such a redirect, and Transient when the
    connection fails, also while the response is read.
    """
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})  # noqa: S310 - callers check the scheme
    if authorization:
        request.add_unredirected_header("Authorization", authorization)
    if byte_range:
        request.add_header("Range", byte_range)
    opener = urllib.request.build_opener(*([_PrivateRedirects()] if private else []))
    try:
        with opener.open(request, timeout=seconds) as response:
            yield response
    except urllib.error.HTTPError as error:
        with error:
            raise HttpError(error) from error
    except (OSError, http.client.HTTPException) as error:
        raise Transient(f"cannot read {url}: {error or type(error).__name__}") from error


def is_private(address: str) -> bool:
    """Whether requests to a URL cannot be intercepted: https, or http to this machine. Pure."""
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return True
    try:
        is_local = parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
    return parts.scheme == "http" and is_local


class _PrivateRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to private addresses only, e.g. to a server of signed downloads."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - the library's signature
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request that follows the redirect."""
        if not is_private(newurl):
            raise BadInput(f"{req.full_url} redirects to {newurl}, which can be intercepted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
