"""Runs in which processes are killed, and the proof that nothing came of it."""
