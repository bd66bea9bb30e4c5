"""The protocol of the archive as a small, bounded model: every order of steps and faults is tried.

`make model` explores it, then leaves out one rule at a time and shows how events are lost or doubled
without it. Two daemons, Redis and the disk, each with what it keeps and what it forgets. Commands are
atomic, as they are in Redis; between any two of them anything that the faults name may happen.

Not modelled: a full Redis (nothing changes while it is), an upstream that lies, the identity memory's bound,
parts of several hours (they bear one chunk's name), several writers. Written by hand, for no well-kept
explicit-state checker for Python exists.
"""
