"""Dashboards as a picture and as a list, from a running Prometheus: `make panels`."""
