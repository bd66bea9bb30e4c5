"""README's pictures, each made anew by one command: `python -m testing.docs.pictures --help`."""
