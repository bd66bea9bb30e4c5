"""A Docker Engine with Compose on a bare Debian machine, from Debian's own packages: `make engine`.

For machines that have root and a Debian mirror and nothing else, as a build machine has. It never runs by
itself; whoever has Docker already needs none of it.
"""
