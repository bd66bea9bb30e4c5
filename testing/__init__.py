"""Tools for tests and demos; no daemon imports this."""
