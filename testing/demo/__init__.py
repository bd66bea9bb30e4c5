"""The whole pipeline on one machine, watched live and judged at its end: `python -m testing.demo`.

Stands beside the spine: it starts the real daemons, lies to them a little, and proves what came of it.
"""
