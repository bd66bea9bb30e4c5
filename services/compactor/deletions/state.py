"""Which rows a deletion removes, as SQL conditions, and the durable state of the last complete pass.

A record's deletion is a row with `operation = 'delete'`: rows of the record with an older `rev` are removed,
the deletion stays. `rev` is the repository's own order, whatever times a host assigned. An account's deletion
is a row of `accounts` with status `deleted`: rows of the account with a smaller `time_us` are removed, except
such rows. What was created after a deletion is newer and stays. Takedowns, suspensions and deactivations can
be reversed, and remove nothing.
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

RECORD_STREAMS = (Stream.POSTS, Stream.LIKES, Stream.REPOSTS, Stream.FOLLOWS, Stream.RECORDS)
ACCOUNT_STREAMS = (*RECORD_STREAMS, Stream.IDENTITIES, Stream.ACCOUNTS)

IS_DELETION = "(coalesce(active, true) = false AND coalesce(status, '') = 'deleted')"
RECORDS_QUERY = "did, collection, rkey, max(rev) AS rev FROM {read} WHERE operation = 'delete' GROUP BY ALL"
ACCOUNTS_QUERY = f"did, max(time_us) AS time_us FROM {{read}} WHERE {IS_DELETION} GROUP BY ALL"


class DeletionState(msgspec.Struct, frozen=True):
    """The last complete pass: all deletions in these hours are applied to these hours."""

    policy: str
    at_us: int
    """When it began, in Unix microseconds."""
    hours: dict[str, dict[int, str]]
    """By stream and hour, the digest of the chunks that the hour held then."""


NO_PASS = DeletionState("", 0, {})


def applies_to_records(policy: Policy) -> bool:
    """Whether deletions of records are applied."""
    return policy in (Policy.RECORDS, Policy.ALL)


def applies_to_accounts(policy: Policy) -> bool:
    """Whether deletions of accounts are applied."""
    return policy in (Policy.ACCOUNTS, Policy.ALL)


def digest_of_chunks(chunks: Iterable[str]) -> str:
    """Return a digest of the chunks of an hour: it changes when rows are added to the hour."""
    return inputs_id(*sorted(chunks))


def changed_hours(hours: Mapping[int, str], known: Mapping[int, str]) -> list[int]:
    """Return the hours whose digest differs from the last pass', in order."""
    return sorted(hour for hour, chunks in hours.items() if known.get(hour) != chunks)


def hours_to_collect(hours: Iterable[int], changed: list[int]) -> list[int]:
    """Return the hours whose deletions may not be applied everywhere yet.

    These are the changed hours and, since rows may have been added to an old one, all hours after it: the
    deletion of its new rows may have been there before them. Also the hour before: hosts' clocks differ.
    """
    return sorted(hour for hour in hours if changed and hour >= changed[0] - 1)


def is_due(state: DeletionState, policy: Policy, now_us: int, every_hours: float) -> bool:
    """Whether another pass is due: the policy has changed, or this many hours went by."""
    return state.policy != policy or now_us - state.at_us >= every_hours * HOUR_US


def record_condition(path: Path) -> str:
    """Return the condition for rows removed by a record's deletion, as collected in `path`."""
    same = " AND ".join(f"deleted.{name} = mine.{name}" for name in ("did", "collection", "rkey"))
    newer = f"FROM read_parquet({_quoted(path)}) AS deleted WHERE {same} AND mine.rev < deleted.rev"
    return f"mine.operation <> 'delete' AND EXISTS ({newer})"


def account_condition(path: Path, stream: Stream) -> str:
    """Return the condition for rows removed by an account's deletion, as collected in `path`."""
    stays = f"NOT {IS_DELETION} AND " if stream is Stream.ACCOUNTS else ""
    same = f"FROM read_parquet({_quoted(path)}) AS deleted WHERE deleted.did = mine.did"
    return f"{stays}EXISTS ({same} AND mine.time_us < deleted.time_us)"


def state_path(root: Path) -> Path:
    """Return the file that holds the state of the last complete pass."""
    return root / ".state/deletions" / "passed.json"


def write_state(root: Path, state: DeletionState) -> None:
    """Write, durably, that a pass is complete. Raises OSError."""
    write_durably(root, state_path(root), msgspec.json.encode(state))


def read_state(root: Path) -> DeletionState:
    """Read the state of the last pass; `NO_PASS` before the first. Raises OSError, BrokenInvariant."""
    path = state_path(root)
    try:
        return msgspec.json.decode(path.read_bytes(), type=DeletionState)
    except FileNotFoundError:
        return NO_PASS
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(
            f"{path} cannot be read ({error}); move it away, then the next pass covers all hours again"
        ) from error


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
