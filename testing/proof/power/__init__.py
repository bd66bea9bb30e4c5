"""Power cuts, modelled: kill -9 leaves the kernel's page cache standing, a power cut does not.

The real writer and the real Redis run under strace; when the power goes, all are killed, and what their
files would be after a power cut is worked out from their system calls and written over what is there.
"""
