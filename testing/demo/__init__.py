"""The whole pipeline on one machine: `python -m testing.demo`.

It starts the real daemons, injects some faults, and proves that every event is archived once.
"""
