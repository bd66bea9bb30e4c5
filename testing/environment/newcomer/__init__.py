"""A newcomer: from a clean clone on a bare Debian, every command of README that can run there, in order.

`python -m testing.environment.newcomer` prints the transcript; testing/tests/test_newcomer.py checks README.
"""
