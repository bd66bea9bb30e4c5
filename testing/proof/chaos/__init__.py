"""Runs under faults that a seed chooses, and the proof that nothing came of it.

A run: fake hosts, a real server and both daemons; faults while events flow; then everything heals, and the
archive is held against the truth. `plan` says what happens (pure), `faults` do it, `verdict` judges.
"""
