"""Which rows a deletion takes with it, as SQL; what was deleted up to when, and up to where that was applied.

A record's deletion is a row with `operation = 'delete'`: rows of the record with an older `rev` go, and it
stays. `rev` is the repository's own order, whatever time a host gave to the events. An account's is a row of
`accounts` with status `deleted`: rows of the account with a lesser `time_us` go, but for such rows. What was
made again after a deletion is newer, and stays. Takedowns and deactivations are taken back, and take nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from services.archive.durable import write_durably
from services.archive.paths import HOUR_US, inputs_id
from services.compactor.settings import Policy
from services.shared.errors import BrokenInvariant
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

OF_RECORDS = (Stream.POSTS, Stream.LIKES, Stream.REPOSTS, Stream.FOLLOWS, Stream.RECORDS)
OF_ACCOUNTS = (*OF_RECORDS, Stream.IDENTITIES, Stream.ACCOUNTS)

IS_DELETION = "(coalesce(active, true) = false AND coalesce(status, '') = 'deleted')"
RECORDS_QUERY = "did, collection, rkey, max(rev) AS rev FROM {read} WHERE operation = 'delete' GROUP BY ALL"
ACCOUNTS_QUERY = f"did, max(time_us) AS time_us FROM {{read}} WHERE {IS_DELETION} GROUP BY ALL"


class Passed(msgspec.Struct, frozen=True):
    """What the last whole pass was of: all deletions in these hours are applied to these hours."""

    policy: str
    at_us: int
    """When it began, in Unix microseconds."""
    hours: dict[str, dict[int, str]]
    """By stream and hour what the hour held then (`held`)."""


NOTHING = Passed("", 0, {})


def wants_records(policy: Policy) -> bool:
    """Whether deletions of records are applied."""
    return policy in (Policy.RECORDS, Policy.ALL)


def wants_accounts(policy: Policy) -> bool:
    """Whether deletions of accounts are applied."""
    return policy in (Policy.ACCOUNTS, Policy.ALL)


def held(chunks: Iterable[str]) -> str:
    """Return what stands for the chunks an hour's rows came in: the same while nothing is added to it."""
    return inputs_id(*sorted(chunks))


def fresh(hours: Mapping[int, str], known: Mapping[int, str]) -> list[int]:
    """Return the hours that are not as the last pass knew them, in order."""
    return sorted(hour for hour, chunks in hours.items() if known.get(hour) != chunks)


def gathered_from(hours: Iterable[int], not_known: list[int]) -> list[int]:
    """Return the hours whose deletions may not be applied everywhere yet.

    Those that came since; and where an hour long past was added to, all after it: what deletes its new rows
    may have been there before them. And one before: clocks of hosts differ.
    """
    return sorted(hour for hour in hours if not_known and hour >= not_known[0] - 1)


def is_due(passed: Passed, policy: Policy, now_us: int, every_hours: float) -> bool:
    """Whether another pass is to begin: hours are gone through, and rewritten, no more often."""
    return passed.policy != policy or now_us - passed.at_us >= every_hours * HOUR_US


def of_records(path: Path) -> str:
    """Return when a row goes because of a record's deletion, by the file that these were gathered in."""
    same = " AND ".join(f"gone.{name} = mine.{name}" for name in ("did", "collection", "rkey"))
    gone = f"FROM read_parquet({_quoted(path)}) AS gone WHERE {same} AND mine.rev < gone.rev"
    return f"mine.operation <> 'delete' AND EXISTS ({gone})"


def of_accounts(path: Path, stream: Stream) -> str:
    """Return when a row goes because of an account's deletion, by the file that these were gathered in."""
    stays = f"NOT {IS_DELETION} AND " if stream is Stream.ACCOUNTS else ""
    gone = f"FROM read_parquet({_quoted(path)}) AS gone WHERE gone.did = mine.did"
    return f"{stays}EXISTS ({gone} AND mine.time_us < gone.time_us)"


def passed_path(root: Path) -> Path:
    """Return the file that says what the last whole pass was of."""
    return root / ".deletions" / "passed.json"


def write_passed(root: Path, passed: Passed) -> None:
    """Note, durably, that a pass is whole. Raises OSError."""
    write_durably(root, passed_path(root), msgspec.json.encode(passed))


def read_passed(root: Path) -> Passed:
    """Read what the last pass was of; `NOTHING` where there was none. Raises OSError, BrokenInvariant."""
    path = passed_path(root)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Passed)
    except FileNotFoundError:
        return NOTHING
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(
            f"{path} cannot be read ({error}); move it away, all hours are gone through again then"
        ) from error


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
