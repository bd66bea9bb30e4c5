"""What to run, apart from running it."""
