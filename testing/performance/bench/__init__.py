"""How fast, how small and how near the limit: the daemons beside what people would use instead, in one run.

Nothing here is asserted: a figure is told with its spread, and a goal as reached or missed.
"""
