"""Every command of README that can run there, in order, in a clean clone on a bare Debian.

`python -m testing.environment.newcomer` prints the transcript; testing/tests/test_newcomer.py checks README.
"""
