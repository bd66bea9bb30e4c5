"""The files: the only package that knows what lies where below the archive's root, and how it is written."""
