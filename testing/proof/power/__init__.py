"""Simulated power cuts: after kill -9 the kernel still writes its page cache, after a power cut it does not.

The real writer and the real Redis run under strace. At the power cut all are killed; the state of their files
after it is computed from their system calls and written over the files.
"""
