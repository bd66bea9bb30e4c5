"""A Docker Engine with Compose on a bare Debian machine, from Debian's own packages: `make engine`.

For machines with root and a Debian mirror but no Docker, such as build machines. It never runs by itself.
"""
