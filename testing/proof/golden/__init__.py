"""A small archive of every released schema version, written by a writer that was killed in an ack.

Each sample holds parts of every stream, the checkpoints and the id, all keys of Redis with a claim whose
first chunk is committed and not acked, and the truth. `python -m testing.proof.golden` creates the sample of
the present version; it is never replaced, so that later code is tested with files that earlier code wrote.
"""
