"""After commit: closed hours become one file a stream, and a table says how whole each hour is."""
