"""Speed, size and limits of the daemons beside alternatives, measured in one run.

Nothing is asserted: figures are reported with their spread, goals as reached or missed.
"""
