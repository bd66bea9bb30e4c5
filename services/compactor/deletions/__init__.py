"""Applies deletions of records and accounts to closed hours, where COMPACT_APPLY_DELETIONS says so."""
