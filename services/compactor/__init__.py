"""After commit: merges the files of closed hours, and computes how complete each hour is."""
