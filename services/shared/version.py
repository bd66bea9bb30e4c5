"""The version that logs and footers carry; the same as pyproject's."""

VERSION = "0.1.0"
