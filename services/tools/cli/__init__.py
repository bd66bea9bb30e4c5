"""The commands of `archive`, one module each."""
