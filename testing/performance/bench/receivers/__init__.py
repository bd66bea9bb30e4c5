"""The contestants of path 1: programs that read a websocket and print their figures as JSON."""
