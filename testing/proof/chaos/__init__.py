"""Runs of the whole pipeline under faults that a seed chooses: no event may be lost or doubled.

A run starts fake hosts, a real Redis and both daemons, injects faults while events flow, waits for recovery
and compares the archive with the truth. `plan` decides what happens (pure), `faults` inject it, `verdict`
compares.
"""
