"""The protocol of the archive as a small bounded model; every order of steps and faults is explored.

`make model` explores it with all rules, then leaves out one rule at a time and prints the shortest trace to
lost or doubled events. The model has two daemons, Redis and the disk, each with durable and volatile state.
Commands are atomic, as in Redis; between two of them any fault may happen.

Not modelled: a full Redis (except refused SETs), hosts with wrong data, the size of the dedup window, parts
of several hours (they share one chunk's name), several writers. It is written by hand because there is no
maintained explicit-state model checker for Python.
"""
