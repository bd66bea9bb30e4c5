"""At which moments the faults of each scenario fall."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.proof.mutants import scenarios, setbacks

if TYPE_CHECKING:
    from testing.proof.mutants.scenarios import Scenario

PLAYS: dict[Scenario, tuple[str, ...]] = {
    scenarios.push_carried_out_ingester_killed: ("ingester killed after buffer",),
    scenarios.push_not_carried_out_ingester_killed: ("ingester killed after receive",),
    scenarios.reply_to_push_lost: ("reply to push lost",),
    scenarios.reply_to_ack_lost: ("reply to ack lost",),
    scenarios.ack_carried_out_writer_killed: ("writer killed after ack",),
    scenarios.ack_not_carried_out_writer_killed: ("writer killed after commit",),
    scenarios.ack_not_carried_out_chunk_changed: ("writer killed, chunk size changed after commit",),
    scenarios.ack_not_carried_out_hour_prepared: ("writer killed after commit", "compaction"),
    scenarios.old_ack_lands_late: ("ack delayed",),
    scenarios.old_push_lands_late: ("push delayed",),
    scenarios.cursor_touched: ("cursor touched",),
    setbacks.redis_lost_its_last_pushes: ("backup made after recover", "backup restored after recover"),
    setbacks.volume_lost_after_a_round: ("volume lost after checkpoint",),
    setbacks.volume_lost_while_a_stream_lags: ("volume lost after checkpoint",),
    setbacks.volume_lost_twice_while_a_stream_lags: (
        "volume lost after checkpoint",
        "volume lost after checkpoint",
    ),
    setbacks.volume_lost_in_a_round: ("volume lost in a round",),
    setbacks.backup_restored_in_a_round: ("backup made after recover", "backup restored in a round"),
    setbacks.backup_restored_after_volume_lost: (
        "backup made after recover",
        "volume lost after recover",
        "backup restored after checkpoint",
        "volume lost after recover",
    ),
    setbacks.volume_lost_before_the_first_round: ("volume lost after start",),
}
"""The moments at which each scenario's faults fall, in the words of `testing.proof.model.trace.moments`."""
