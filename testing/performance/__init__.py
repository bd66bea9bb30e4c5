"""How fast, how small and for how long: bench, load and lake."""
