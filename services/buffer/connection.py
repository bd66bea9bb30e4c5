"""One bare connection to Redis: it is fenced, resends nothing, and raises an error for each reaction.

redis-py's client resends commands after a lost reply. LTRIM and EXEC must not be resent, or events would be
lost or stored twice. So this module uses `redis.Connection` only, and after any error the caller opens the
connection again and reads its state from Redis.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import structlog
from redis import Connection as BareConnection
from redis import exceptions
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.retry import Retry

from services.shared.errors import BrokenInvariant, Transient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.shared.lifecycle import Stopping

TIMEOUT_SECONDS = 15.0
CONTENDED_LOSSES = 3
CONTENDED_WINDOW_SECONDS = 60.0
CONTENDED_PAUSE_SECONDS = 60.0


class Full(Transient):
    """Redis refused a write because its memory is full, and changed nothing."""


TRANSIENT_REPLIES = (
    "LOADING",
    "READONLY",
    "MISCONF",
    "MASTERDOWN",
    "NOREPLICAS",
    "BUSY",
    "OOM",
    "UNKILLABLE",
    "EXECABORT",
    "TRYAGAIN",
)
"""First words of error replies that end without our doing."""
log = structlog.get_logger()

Command = tuple[str | bytes | int, ...]


class Connection:
    """The only connection of one ACL user: opening it ends every older one of that user."""

    def __init__(self, url: str, stopping: Stopping) -> None:
        options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
        self.user = str(options.get("username") or "")
        if self.user in ("", "default"):
            raise BrokenInvariant(
                "REDIS_URL: name an ACL user of this daemon's own (redis://ingester:…@host/0); "
                "opening a connection ends every other connection of its user"
            )
        kind = options.pop("connection_class", BareConnection)
        if kind not in (BareConnection, SSLConnection):
            raise BrokenInvariant(
                f"REDIS_URL: {url.partition(':')[0]} is not supported; use redis:// or rediss://"
            )
        options.setdefault("socket_timeout", TIMEOUT_SECONDS)
        options.setdefault("socket_connect_timeout", 5.0)
        # Protocol 2 and no driver_info: only AUTH, SETNAME and SELECT are sent before the fence.
        self._bare = kind(
            **options, protocol=2, retry=Retry(NoBackoff(), 0), client_name=self.user, driver_info=None
        )
        self._stopping = stopping
        self._open = False
        self._outstanding = 0
        self.run_id = ""
        self._losses: deque[tuple[float, str]] = deque(maxlen=CONTENDED_LOSSES)

    def open(self, *, fence: bool = True) -> None:
        """Connect and fence; raises Transient, or BrokenInvariant for a user that Redis refuses.

        A connection without the fence must only read.
        """
        self.close()
        self._yield_when_contended()
        try:
            self._bare.connect()
        except exceptions.AuthenticationError as error:
            raise BrokenInvariant(
                f"Redis refuses user {self.user!r} ({error}); check REDIS_URL and users.acl"
            ) from error
        except (exceptions.RedisError, OSError) as error:
            raise Transient(f"Redis cannot be reached: {error}") from error
        self._open = True
        if fence:
            self.one("CLIENT", "KILL", "USER", self.user, "SKIPME", "yes")
        self.run_id = _info(self.one("INFO", "server"))["run_id"]

    def close(self) -> None:
        """Close at once; commands without a reply may or may not have been executed."""
        self._open = False
        self._outstanding = 0
        self._bare.disconnect()

    def ask(self, *commands: Command) -> list[Any]:
        """Send all commands at once and return one reply each; an error reply is returned, not raised.

        Raises Transient when the connection is lost: then it is unknown which commands were executed.
        """
        if self._outstanding:
            raise BrokenInvariant(f"{self._outstanding} replies must be received before another request")
        self.send(*commands)
        return [self.receive() for _ in commands]

    def send(self, *commands: Command) -> None:
        """Send all commands at once; `receive` must follow once for each. Raises like `ask`."""
        if not self._open:
            raise Transient("Redis connection is closed")
        with self._losing():
            # Without this check redis-py would reconnect on its own, and unfenced.
            self._bare.send_packed_command(self._bare.pack_commands(commands), check_health=False)
        self._outstanding += len(commands)

    def receive(self) -> Any:
        """Return the reply, or error reply, to the oldest command without one. Raises like `ask`."""
        if not self._open:
            raise Transient("Redis connection is closed")
        with self._losing():
            reply = self._read()
        self._outstanding -= 1
        return reply

    def every(self, *commands: Command) -> list[Any]:
        """Send all commands at once and return their replies; the first error reply raises its reaction."""
        replies = self.ask(*commands)
        for error in errors_among(replies):
            raise reaction(error)
        return replies

    def one(self, *command: str | bytes | int) -> Any:
        """Send one command and return its reply; an error reply raises its reaction."""
        return self.every(command)[0]

    @contextlib.contextmanager
    def _losing(self) -> Iterator[None]:
        """Close after an error that leaves requests and replies out of step; error replies do not."""
        try:
            yield
        except (exceptions.RedisError, OSError) as error:
            self._losses.append((time.monotonic(), self.run_id))
            self.close()
            raise Transient(f"Redis connection lost: {error}") from error

    def _read(self) -> Any:
        try:
            return self._bare.read_response(disconnect_on_error=False)
        except exceptions.ConnectionError as error:
            # A loading server gives this reply to each command, so requests and replies are still in step.
            if isinstance(error, exceptions.BusyLoadingError):
                return exceptions.ResponseError(f"LOADING {error}")
            raise
        except exceptions.ResponseError as error:
            return error

    def _yield_when_contended(self) -> None:
        now = time.monotonic()
        recent = [run_id for at, run_id in self._losses if now - at < CONTENDED_WINDOW_SECONDS]
        if len(recent) == CONTENDED_LOSSES and len(set(recent)) == 1:
            log.error(
                "buffer.contended",
                user=self.user,
                remedy="another process uses this Redis user; stop one of the two",
            )
            self._losses.clear()
            self._stopping.sleep(CONTENDED_PAUSE_SECONDS)


def errors_among(replies: Iterable[Any]) -> list[exceptions.ResponseError]:
    """Return the error replies, in order."""
    return [reply for reply in replies if isinstance(reply, exceptions.ResponseError)]


def refuse_partial(done: Iterable[Any]) -> None:
    """Raise BrokenInvariant if a command of a transaction failed: Redis executes the others all the same."""
    for error in errors_among(done):
        raise BrokenInvariant(f"a push was applied in part: {error}; is a key of another type in the way?")


def reaction(reply: exceptions.RedisError) -> Transient | BrokenInvariant:
    """Return the error for a reply: Transient for a state of the server that ends, else BrokenInvariant."""
    text = str(reply)
    if isinstance(reply, exceptions.OutOfMemoryError):
        return Full(f"Redis is full: {text}")
    is_transient = isinstance(
        reply,
        exceptions.ReadOnlyError
        | exceptions.BusyLoadingError
        | exceptions.ExecAbortError
        | exceptions.MasterDownError,
    )
    if is_transient or text.startswith(TRANSIENT_REPLIES):
        return Transient(f"Redis replied: {text}")
    return BrokenInvariant(f"Redis replied: {text}")


def _info(text: bytes) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
    return {name: value for name, value in pairs}  # noqa: C416 - dict() of an iterator of lists loses its types


def info(connection: Connection, section: str) -> dict[str, str]:
    """Return one section of INFO, by name."""
    return _info(connection.one("INFO", section))
