"""A small archive of every released schema version, as it was left by a writer that was killed.

Each sample holds parts of every stream, the checkpoints and the id, all of Redis with a claim whose first
chunk was committed and not acked, and the events that there were. `python -m testing.proof.golden` makes the
present version's; it is made once and never again, so that what later code reads is what earlier code wrote.
"""
