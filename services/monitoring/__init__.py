"""The health service, which reports whether Redis and the daemons work, and the code of dashboards."""
