"""The rules of the protocol as switches: each can be left out, to see what it is good for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the daemons, Redis and the filesystem are held to; all of it unless a rule is left out."""

    cursor_with_events: bool = True
    """The cursor is stored in the transaction of the events before it."""
    data_first: bool = True
    """If not in one transaction, then events before cursor."""
    push_once: bool = True
    """After a lost reply a push is not sent again."""
    push_watch: bool = True
    """A push is carried out only if nobody stored a cursor since it was read."""
    fence: bool = True
    """A new connection ends the older ones of its user before it reads."""
    forget: bool = True
    """A reset forgets the identities; those in Redis count."""
    one_push: bool = True
    """A push that was refused is the end of the session: no other is under way behind it."""
    identity: bool = True
    """Repeats are known by identity, not by a time that is not after the cursor's."""
    rewind: bool = True
    """On another host the ingester goes back by more than the two hosts differ."""
    start_by_writer: bool = True
    """An ingester never starts live by itself."""
    made_sure: bool = True
    """After a restart of Redis a writer compares cursor and checkpoints before the ingester goes on."""
    always: bool = True
    """Redis syncs every command before it answers."""
    ack_once: bool = True
    """After a lost reply an ack is not sent again."""
    ack_watch: bool = True
    """An ack is carried out only if nobody touched the claim since it was read."""
    ack_last: bool = True
    """A chunk is acked when its parts are durable, not before."""
    parent_sync: bool = True
    """The directories above a part are synced too."""
    chunk_in_key: bool = True
    """A claim is cut as it was when it was taken, whatever the setting is now."""
    name_from_input: bool = True
    """The same chunk gives the same names."""
    compaction_waits: bool = True
    """No part of a stream is merged while a claim of it exists."""
    checkpoint_before_claim: bool = True
    """A checkpoint is the cursor as read before the claim, not after it."""
    checkpoint_per_stream: bool = True
    """The oldest checkpoint of all streams counts."""
    whole_round: bool = True
    """Only streams that are wholly acked move their checkpoints."""
    void_round: bool = True
    """An error voids a round: no checkpoint comes of it."""
    read_again: bool = True
    """Cursor and epoch are read again before checkpoints are written."""
    scan_again: bool = True
    """A stream is empty only if a scan behind RENAMENX finds no claim of it."""
    from_checkpoint: bool = True
    """A new epoch begins at the oldest checkpoint, also where a cursor is stored."""
    lower_checkpoints: bool = True
    """A new epoch sets back the checkpoints that lie beyond its cursor."""
    note_epoch: bool = True
    """An epoch's number is noted on disk before it begins."""
    sync_before_use: bool = True
    """Checkpoints are synced before they are believed."""

    def without(self, *names: str) -> Rules:
        """Return these rules with some left out."""
        return replace(self, **dict.fromkeys(names, False))

    def left_out(self) -> tuple[str, ...]:
        """Return the names of the rules that do not hold."""
        return tuple(field.name for field in fields(self) if not getattr(self, field.name))


ALL = Rules()
