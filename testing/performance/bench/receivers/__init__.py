"""Path 1's contestants, each a program of its own that reads a websocket and prints its figures as JSON."""
